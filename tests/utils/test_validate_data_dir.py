"""utils/validate_data_dir.sh: one line and exit 1 for every broken rule; valid directories pass Kaldi's rules too."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tool_support import CORPUS, Result, Tool, error_line, rows_of, write_rows

TASKS = """\
tasks:
  - {name: emotion, type: regression, dimensions: [joy, fear], range: [0, 1], activation: sigmoid}
  - {name: country, type: classification, classes: [North, South]}
"""


def validate(tool: Tool, data: Path, *options: str) -> Result:
    return tool("validate_data_dir.sh", "--no-feats", *options, data)


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the lines of a file."""
    path.write_text("".join(f"{line}\n" for line in change(path.read_text().splitlines())))


def shell(script: str, data: Path) -> bool:
    """Whether a shell script succeeds in the directory."""
    command = ["bash", "-c", f"set -o pipefail; export LC_ALL=C; {script}"]
    return subprocess.run(command, cwd=data, capture_output=True, check=False).returncode == 0


def kaldi_accepts(data: Path) -> bool:
    """Kaldi's rules of `validate_data_dir.sh --no-text --no-feats`, written anew with coreutils."""
    tables = [path.name for path in data.iterdir() if path.is_file()]
    return all(
        [
            all(shell(f"cut -d' ' -f1 {name} | sort -u | cmp - <(cut -d' ' -f1 {name})", data) for name in tables),
            all(shell(f'test -z "$(tail -c1 {name})"', data) for name in tables),
            shell("test -s utt2spk -a -s spk2utt", data),
            shell("awk 'NF != 2 {exit 1}' utt2spk", data),
            shell("sort -k2 utt2spk | cmp - utt2spk", data),
            shell("awk '{for (i = 2; i <= NF; i++) print $i, $1}' spk2utt | cmp - utt2spk", data),
            shell("cut -d' ' -f1 utt2spk | cmp - <(cut -d' ' -f1 wav.scp)", data),
            shell("cut -d' ' -f1 utt2spk | cmp - <(cut -d' ' -f1 utt2dur)", data),
            shell("awk 'NF != 2 || !($2 > 0) {exit 1}' utt2dur", data),
        ]
    )


def test_valid_directory(tool: Tool, data: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(TASKS)
    result = validate(tool, data, "--tasks", "tasks.yaml")
    assert (result.returncode, result.stderr) == (0, "")
    # 0.5 + 0.25 + 0.75 + 0.5 + 1 + 0.5 seconds.
    hours = f"{3.5 / 3600:.2f} h"
    assert result.stdout == f"{data}: valid: 6 utterances, 3 speakers, {hours}; labels: country 5, emotion 5\n"
    assert kaldi_accepts(data)


def test_valid_directory_loads_in_lhotse(data: Path) -> None:
    lhotse = pytest.importorskip("lhotse.kaldi")
    recordings, supervisions, _ = lhotse.load_kaldi_data_dir(data, sampling_rate=16000)
    assert {r.id: r.duration for r in recordings} == {utt: row[1] for utt, row in CORPUS.items()}
    assert supervisions is None or {s.id: s.speaker for s in supervisions} == {u: r[0] for u, r in CORPUS.items()}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("utt2spk", lambda x: [x[1], x[0], *x[2:]], "utt2spk:2: s1-a: not sorted (LC_ALL=C), it stands after s1-b;"),
        ("utt2spk", lambda x: [x[0], *x], "utt2spk:2: s1-a: stands twice;"),
        ("utt2spk", lambda x: [*x[:-1], "s3-a s3 s4"], "utt2spk: s3-a: a line is `<utterance> <speaker>`"),
        ("utt2spk", lambda x: ["s1-a s3", *x[1:]], "utt2spk: s1-a: sorted by utterance the speakers are not in order;"),
        ("utt2spk", lambda x: [*x, "s3-b"], "utt2spk:7: 's3-b' is not `<key> <value>`;"),
        ("utt2spk", lambda x: [*x[:2], "", *x[2:]], "utt2spk:3: '' is not `<key> <value>`;"),
        ("utt2spk", lambda _: [], "utt2spk: the file is empty;"),
        ("spk2utt", lambda x: x[1:], "spk2utt: s1: missing here, but in utt2spk;"),
        ("spk2utt", lambda x: [*x, "s4 s4-a"], "spk2utt: s4: not in utt2spk;"),
        ("spk2utt", lambda x: ["s1 s1-b s1-a", *x[1:]], "spk2utt: s1: does not list the utterances that utt2spk gives"),
        ("wav.scp", lambda x: x[1:], "wav.scp: s1-a: missing here, but in utt2spk;"),
        ("wav.scp", lambda x: [*x, "s4-a x.wav"], "wav.scp: s4-a: not in utt2spk;"),
        ("wav.scp", lambda x: ["s1-a cat a.wav |", *x[1:]], "wav.scp: s1-a: a pipe would run a command;"),
        ("wav.scp", lambda x: ["s1-a | cat", *x[1:]], "wav.scp: s1-a: a pipe would run a command;"),
        ("wav.scp", lambda x: ["s1-a ~/a.wav", *x[1:]], "wav.scp: s1-a: ~ is not expanded;"),
        ("wav.scp", lambda x: ["s1-a no.wav", *x[1:]], "wav.scp: s1-a: no.wav: no such file;"),
        ("wav.scp", lambda x: ["s1-a empty.wav", *x[1:]], "wav.scp: s1-a: empty.wav: the file is empty;"),
        ("utt2dur", lambda x: ["s1-a 0", *x[1:]], "utt2dur: s1-a: '0' is not a positive number;"),
        ("utt2dur", lambda x: ["s1-a nan", *x[1:]], "utt2dur: s1-a: 'nan' is not a positive number;"),
        ("utt2dur", lambda x: ["s1-a inf", *x[1:]], "utt2dur: s1-a: 'inf' is not a positive number;"),
        ("utt2dur", lambda x: ["s1-a 1 2", *x[1:]], "utt2dur: s1-a: '1 2' is not a positive number;"),
        ("utt2dur", lambda x: x[1:], "utt2dur: s1-a: missing here, but in utt2spk;"),
        ("utt2emotion", lambda x: [*x, "s4-a 0 0"], "utt2emotion: s4-a: not in utt2spk;"),
        ("utt2emotion", lambda x: ["s1-a 0.1", *x[1:]], "utt2emotion: s1-b: '0.3 nan' has another form"),
        ("utt2emotion", lambda x: ["s1-a 0.1 inf", *x[1:]], "utt2emotion: s1-a: '0.1 inf' holds an infinite value;"),
        ("utt2country", lambda x: ["s1-a New York", *x[1:]], "utt2country: s1-a: 'New York': a label is one class"),
        ("utt2country", lambda x: ["s1-a 3", *x[1:]], "utt2country: s2-a: 'South' has another form"),
        ("segments", lambda _: ["s1-a s1 0 1"], "segments: not supported;"),
        ("feats.scp", lambda _: [f"{u} x.ark:5" for u in CORPUS], "feats.scp: s1-a: x.ark: missing or shorter than 5"),
        ("feats.scp", lambda _: [f"{u} cat x |" for u in CORPUS], "feats.scp: s1-a: a pipe would run a command;"),
        ("feats.scp", lambda _: [f"{u} x.ark" for u in CORPUS], "feats.scp: s1-a: 'x.ark' is not <ark>:<offset>;"),
        (
            "utt2num_frames",
            lambda _: [f"{u} 1.5" for u in CORPUS],
            "utt2num_frames: s1-a: '1.5' is not a positive whole",
        ),
        ("utt2lang", lambda _: ["s1-a en"], "utt2lang: s1-b: missing here, but in utt2spk;"),
        ("spk2gender", lambda _: ["s1 m", "s2 x", "s3 f"], "spk2gender: s2: 'x': Kaldi knows m and f here;"),
        ("spk2gender", lambda _: ["s1 m"], "spk2gender: s2: missing here, but in spk2utt;"),
    ],
)
def test_broken_rule(
    tool: Tool, data: Path, tmp_path: Path, name: str, change: Callable[[list[str]], list[str]], message: str
) -> None:
    (tmp_path / "empty.wav").touch()
    (data / name).touch()
    edit(data / name, change)
    assert error_line(validate(tool, data)).startswith(f"error: {data}/{message}")


def test_raw_bytes(tool: Tool, data: Path) -> None:
    good = (data / "utt2spk").read_bytes()
    for content, message in (
        (b"\xef\xbb\xbf" + good, "starts with a byte order mark, as Windows writes; run utils/fix_data_dir.sh"),
        (good.replace(b"\n", b"\r\n"), "has Windows line ends; run utils/fix_data_dir.sh"),
        (good[:-1], "the last line has no line end, the file may be cut off; make it again"),
        (good.replace(b"s3", b"\xff3"), f"not UTF-8 (byte {good.index(b's3')}); convert it, e.g. with iconv"),
    ):
        (data / "utt2spk").write_bytes(content)
        assert error_line(validate(tool, data)) == f"error: {data}/utt2spk: {message}"


@pytest.mark.parametrize("name", ["utt2spk", "spk2utt", "utt2dur", "wav.scp"])
def test_missing_file(tool: Tool, data: Path, name: str) -> None:
    (data / name).unlink()
    assert error_line(validate(tool, data)).startswith(f"error: {data}/{name}: no such file; run ")


def test_missing_directory_and_feats(tool: Tool, data: Path) -> None:
    assert error_line(validate(tool, data / "no")).startswith(f"error: {data}/no: no such directory;")
    line = error_line(tool("validate_data_dir.sh", data))
    assert line == f"error: {data}/feats.scp: no such file; run the stage that makes it (or --no-feats)"


def test_features_are_checked(tool: Tool, data: Path, tmp_path: Path) -> None:
    (tmp_path / "x.ark").write_bytes(bytes(100))
    write_rows(data / "feats.scp", {utt: f"x.ark:{i}" for i, utt in enumerate(CORPUS)})
    assert tool("validate_data_dir.sh", data).returncode == 0


def test_options_relax_rules(tool: Tool, data: Path) -> None:
    edit(data / "wav.scp", lambda lines: [f"{line.split()[0]} cat x.wav |" for line in lines])
    assert validate(tool, data, "--allow-pipes", "true").returncode == 0
    (data / "wav.scp").unlink()
    assert validate(tool, data, "--no-wav").returncode == 0
    edit(data / "utt2spk", lambda lines: ["s1-a s9", *lines[1:]])
    write_rows(data / "spk2utt", {"s1": "s1-b", "s2": "s2-a s2-b s2-c", "s3": "s3-a", "s9": "s1-a"})
    assert validate(tool, data, "--no-wav").returncode == 1
    assert validate(tool, data, "--no-wav", "--no-spk-sort").returncode == 0


def test_one_speaker_is_a_warning(tool: Tool, data: Path) -> None:
    write_rows(data / "utt2spk", dict.fromkeys(CORPUS, "s"))
    write_rows(data / "spk2utt", {"s": " ".join(CORPUS)})
    result = validate(tool, data)
    assert result.returncode == 0
    assert result.stderr == f"warning: {data}/spk2utt: one speaker only; no split by speaker is possible\n"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("utt2country", "West", "utt2country: s1-a: class 'West' is not one of North, South"),
        ("utt2emotion", "0.1 1.5", "utt2emotion: s1-a: 1.5 is not in [0, 1]"),
    ],
)
def test_labels_must_fit_the_tasks(tool: Tool, data: Path, tmp_path: Path, name: str, value: str, message: str) -> None:
    (tmp_path / "tasks.yaml").write_text(TASKS)
    edit(data / name, lambda lines: [f"s1-a {value}", *lines[1:]])
    assert error_line(validate(tool, data, "--tasks", "tasks.yaml")).startswith(f"error: {data}/{message}")


def test_wrong_number_of_dimensions(tool: Tool, data: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(TASKS)
    write_rows(data / "utt2emotion", {utt: "0.1 0.2 0.3" for utt in rows_of(data / "utt2emotion")})
    assert "s1-a" in error_line(validate(tool, data, "--tasks", "tasks.yaml"))


def test_task_with_a_name_that_kaldi_reserves(tool: Tool, data: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(TASKS.replace("country", "uniq"))
    line = error_line(validate(tool, data, "--tasks", "tasks.yaml"))
    assert line == "error: tasks.yaml: task 'uniq': Kaldi reserves utt2uniq; rename the task"


def test_missing_label_file_is_no_error(tool: Tool, data: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(TASKS)
    (data / "utt2country").unlink()
    (data / "utt2emotion").unlink()
    result = validate(tool, data, "--tasks", "tasks.yaml")
    assert result.returncode == 0
    assert result.stdout.endswith("; no labels\n")


def test_streams(tool: Tool, data: Path, tmp_path: Path) -> None:
    """Utterances may lack a stream; what is there is checked, and what is asked for must be there."""
    utts = sorted(rows_of(data / "utt2spk"))
    assert f"{data}/video.scp: no such file" in error_line(validate(tool, data, "--streams", "video"))
    (tmp_path / "video.ark").write_bytes(bytes(20))
    write_rows(data / "video.scp", {utts[0]: f"{tmp_path}/video.ark:5", utts[2]: f"{tmp_path}/video.ark:9"})
    assert validate(tool, data, "--streams", "video").returncode == 0
    write_rows(data / "video.scp", {utts[0]: f"{tmp_path}/video.ark:20"})
    assert "missing or shorter than 20 bytes" in error_line(validate(tool, data))
    write_rows(data / "video.scp", {utts[0]: "cat video.ark |"})
    assert "a pipe would run a command" in error_line(validate(tool, data))
    write_rows(data / "video.scp", {"someone": f"{tmp_path}/video.ark:5"})
    assert "someone: not in utt2spk" in error_line(validate(tool, data))
