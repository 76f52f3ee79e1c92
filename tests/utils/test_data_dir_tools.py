"""fix, subset, combine, split, split_by_speaker, get_utt2dur, utt2spk_to_spk2utt."""

import itertools
import random
from pathlib import Path

import pytest
from test_validate_data_dir import kaldi_accepts
from tool_support import CORPUS, Tool, error_line, rows_of, write_rows, write_wav

LABELS = ("utt2emotion", "utt2country")


def contents(directory: Path) -> dict[str, str]:
    """All visible files of a directory."""
    return {path.name: path.read_text() for path in directory.iterdir() if path.is_file()}


def assert_part(part: Path, whole: Path, utts: list[str]) -> None:
    """A directory holds exactly these utterances of another one, in all files, and is valid."""
    assert list(rows_of(part / "utt2spk")) == utts
    assert kaldi_accepts(part)
    for name in ("wav.scp", "utt2spk", "utt2dur", *LABELS):
        rows = {key: value for key, value in rows_of(whole / name).items() if key in utts}
        assert (rows_of(part / name) if (part / name).exists() else {}) == rows, name


# fix_data_dir.sh


def test_fix_sorts_drops_repeated_lines_and_rebuilds_spk2utt(tool: Tool, data: Path) -> None:
    wanted = contents(data)
    for name in ("wav.scp", "utt2spk", "utt2dur", *LABELS):
        lines = (data / name).read_text().splitlines()
        lines.append(lines[0])
        random.Random(1).shuffle(lines)
        (data / name).write_bytes(b"\r\n".join(line.encode() for line in lines))
    (data / "spk2utt").unlink()
    result = tool("fix_data_dir.sh", data)
    assert result.returncode == 0, result.stderr
    assert contents(data) == wanted
    assert kaldi_accepts(data)


def test_fix_keeps_what_all_files_have_and_backs_up(tool: Tool, data: Path) -> None:
    before = contents(data)
    rows = rows_of(data / "wav.scp")
    write_rows(data / "wav.scp", {utt: path for utt, path in rows.items() if utt != "s2-b"})
    rows = rows_of(data / "utt2dur")
    write_rows(
        data / "utt2dur", {utt: value for utt, value in rows.items() if not utt.startswith("s3")} | {"s9-a": "1"}
    )
    result = tool("fix_data_dir.sh", data)
    assert result.returncode == 0, result.stderr
    kept = ["s1-a", "s1-b", "s2-a", "s2-c"]
    assert list(rows_of(data / "utt2spk")) == kept
    assert list(rows_of(data / "wav.scp")) == kept
    assert list(rows_of(data / "utt2emotion")) == ["s1-a", "s1-b", "s2-c"]
    assert list(rows_of(data / "spk2utt")) == ["s1", "s2"]
    assert (data / ".backup/utt2emotion").read_text() == before["utt2emotion"]
    assert "kept 4 of 6 utterances" in result.stdout
    assert kaldi_accepts(data)


def test_fix_takes_a_byte_order_mark_off(tool: Tool, data: Path) -> None:
    wanted = contents(data)
    for name in LABELS:
        (data / name).write_bytes(b"\xef\xbb\xbf" + (data / name).read_bytes())
    result = tool("fix_data_dir.sh", data)
    assert result.stdout.startswith(f"{data}: kept 6 of 6 utterances; changed utt2country, utt2emotion; old ones")
    assert contents(data) == wanted


def test_fix_says_how_many_lines_it_drops(tool: Tool, data: Path) -> None:
    with (data / "utt2country").open("a") as file:
        file.write("s8-a South\ns9-a South\n")
    result = tool("fix_data_dir.sh", data)
    assert "; changed utt2country (lines dropped: 2); old ones in " in result.stdout


def test_fix_refuses_to_drop_all_labels_of_a_task(tool: Tool, data: Path) -> None:
    rows = rows_of(data / "utt2country")
    write_rows(data / "utt2country", {utt.removeprefix("s"): value for utt, value in rows.items()})
    before = contents(data)
    line = error_line(tool("fix_data_dir.sh", data))
    assert line == f"error: {data}/utt2country: shares no utterance with the other files; check its ids"
    assert contents(data) == before


def test_fix_of_a_valid_directory_changes_nothing(tool: Tool, data: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in data.iterdir()}
    assert tool("fix_data_dir.sh", data).stdout == f"{data}: nothing to mend, 6 utterances\n"
    assert {path: path.stat().st_mtime_ns for path in data.iterdir()} == before


def test_fix_makes_utt2spk_from_spk2utt(tool: Tool, data: Path) -> None:
    wanted = contents(data)
    (data / "utt2spk").unlink()
    assert tool("fix_data_dir.sh", data).returncode == 0
    assert contents(data) == wanted


def test_fix_does_not_choose_between_two_values(tool: Tool, data: Path) -> None:
    with (data / "utt2country").open("a") as file:
        file.write("s1-a South\n")
    before = contents(data)
    line = error_line(tool("fix_data_dir.sh", data))
    assert line == (f"error: {data}/utt2country:6: s1-a: stands twice with different values; delete the wrong line")
    assert contents(data) == before


def test_fix_refuses_to_empty_a_directory(tool: Tool, data: Path) -> None:
    write_rows(data / "utt2dur", {"other": "1"})
    before = contents(data)
    line = error_line(tool("fix_data_dir.sh", data))
    assert line == f"error: {data}/utt2dur: shares no utterance with the other files; check its ids"
    assert contents(data) == before


# subset_data_dir.sh


def test_subset_by_lists(tool: Tool, data: Path, tmp_path: Path) -> None:
    (tmp_path / "spk").write_text("s2\ns3\n")
    (tmp_path / "utt").write_text("s2-c extra words\ns1-a\ns2-a\n")
    assert tool("subset_data_dir.sh", "--speakers", "spk", data, "a").returncode == 0
    assert_part(tmp_path / "a", data, ["s2-a", "s2-b", "s2-c", "s3-a"])
    assert tool("subset_data_dir.sh", "--utts", "utt", data, "b").returncode == 0
    assert_part(tmp_path / "b", data, ["s1-a", "s2-a", "s2-c"])
    assert tool("subset_data_dir.sh", "--utts", "utt", "--speakers", "spk", data, "c").returncode == 0
    assert_part(tmp_path / "c", data, ["s2-a", "s2-c"])


def test_subset_by_number(tool: Tool, data: Path, tmp_path: Path) -> None:
    assert tool("subset_data_dir.sh", data, "a", "--first", 3).returncode == 0
    assert_part(tmp_path / "a", data, ["s1-a", "s1-b", "s2-a"])
    drawn = set()
    for seed in range(5):
        assert tool("subset_data_dir.sh", "--random", 2, "--seed", seed, data, "b").returncode == 0
        utts = list(rows_of(tmp_path / "b/utt2spk"))
        assert_part(tmp_path / "b", data, utts)
        assert len(utts) == 2
        drawn.add(tuple(utts))
    assert len(drawn) > 1
    assert tool("subset_data_dir.sh", "--per-spk", 2, data, "c").returncode == 0
    utts = list(rows_of(tmp_path / "c/utt2spk"))
    assert sorted(CORPUS[utt][0] for utt in utts) == ["s1", "s1", "s2", "s2", "s3"]
    assert_part(tmp_path / "c", data, utts)


def test_draw_does_not_depend_on_the_order_of_the_file(tool: Tool, data: Path, tmp_path: Path) -> None:
    assert tool("subset_data_dir.sh", "--random", 3, data, "a").returncode == 0
    write_rows(data / "utt2spk", dict(reversed(rows_of(data / "utt2spk").items())))
    assert tool("subset_data_dir.sh", "--random", 3, data, "b").returncode == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_subset_errors(tool: Tool, data: Path, tmp_path: Path) -> None:
    (tmp_path / "utt").write_text("s1-a\nnobody\n")
    (tmp_path / "none").write_text("\n")
    line = error_line(tool("subset_data_dir.sh", "--utts", "utt", data, "a"))
    assert line == "error: utt: nobody: no such utterance in the data directory; delete the line"
    assert error_line(tool("subset_data_dir.sh", "--speakers", "none", data, "a")) == "error: none: the list is empty"
    line = error_line(tool("subset_data_dir.sh", "--random", 7, data, "a"))
    assert line == "error: 7 utterances are wanted and 6 are there; ask for fewer"
    line = error_line(tool("subset_data_dir.sh", "--first", 1, data, data))
    assert line.endswith("source and target are the same; name another target")
    assert tool("subset_data_dir.sh", "--first", 1, "--random", 1, data, "a").returncode == 2
    assert not (tmp_path / "a").exists()


def test_target_that_is_no_data_directory_is_left_alone(tool: Tool, data: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("precious")
    line = error_line(tool("subset_data_dir.sh", "--first", 1, data, "home"))
    assert line == "error: home: exists and is no data directory; name another one or remove it"
    assert (tmp_path / "home/thesis.txt").read_text() == "precious"


def test_older_target_is_replaced_whole(tool: Tool, data: Path, tmp_path: Path) -> None:
    assert tool("subset_data_dir.sh", "--first", 6, data, "a").returncode == 0
    write_rows(tmp_path / "a/utt2old", {"s1-a": "x"})
    assert tool("subset_data_dir.sh", "--first", 1, data, "a").returncode == 0
    assert sorted(contents(tmp_path / "a")) == [
        "spk2utt",
        "utt2country",
        "utt2dur",
        "utt2emotion",
        "utt2spk",
        "wav.scp",
    ]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


# combine_data.sh


def test_combine_undoes_a_split(tool: Tool, data: Path, tmp_path: Path) -> None:
    (tmp_path / "spk").write_text("s1\ns3\n")
    (tmp_path / "rest").write_text("s2\n")
    assert tool("subset_data_dir.sh", "--speakers", "spk", data, "a").returncode == 0
    assert tool("subset_data_dir.sh", "--speakers", "rest", data, "b").returncode == 0
    assert tool("combine_data.sh", "c", "b", "a").returncode == 0
    assert contents(tmp_path / "c") == contents(data)


def test_combine_keeps_labels_that_some_have_and_drops_features_that_some_have(
    tool: Tool, data: Path, tmp_path: Path
) -> None:
    write_wav(tmp_path / "x.wav", 1)
    other = tmp_path / "other"
    write_rows(other / "utt2spk", {"t1-a": "t1"})
    write_rows(other / "wav.scp", {"t1-a": "x.wav"})
    write_rows(other / "utt2dur", {"t1-a": "1"})
    write_rows(other / "utt2age", {"t1-a": "30"})
    write_rows(other / "feats.scp", {"t1-a": "x.ark:5"})
    result = tool("combine_data.sh", "c", data, "other")
    assert result.returncode == 0
    assert result.stderr == f"warning: feats.scp is left out: not in {data}\n"
    assert not (tmp_path / "c/feats.scp").exists()
    assert rows_of(tmp_path / "c/utt2age") == {"t1-a": "30"}
    assert rows_of(tmp_path / "c/utt2country") == rows_of(data / "utt2country")
    assert kaldi_accepts(tmp_path / "c")


def test_combine_refuses_an_utterance_in_two_directories(tool: Tool, data: Path, tmp_path: Path) -> None:
    assert tool("subset_data_dir.sh", "--first", 1, data, "a").returncode == 0
    line = error_line(tool("combine_data.sh", "c", data, "a"))
    assert line.startswith("error: a/utt2country: s1-a: is in another of the directories too;")
    assert not (tmp_path / "c").exists()


# split_data.sh


@pytest.mark.parametrize("n_jobs", [1, 2, 3, 6])
def test_split_makes_runs_that_together_are_the_whole(tool: Tool, data: Path, n_jobs: int) -> None:
    assert tool("split_data.sh", data, n_jobs).stdout == f"{data}/split{n_jobs}\n"
    parts = [list(rows_of(data / f"split{n_jobs}/{job}/utt2spk")) for job in range(1, n_jobs + 1)]
    assert all(parts)
    assert list(itertools.chain(*parts)) == list(CORPUS)
    for job, utts in enumerate(parts, 1):
        assert_part(data / f"split{n_jobs}/{job}", data, utts)


def test_split_balances_durations(tool: Tool, data: Path) -> None:
    # 0.5 0.25 0.75 | 0.5 | 1.0 0.5: nearest to thirds of 3.5 s (1.17 and 2.33) are cuts after 1.5 and 2.0 s.
    assert tool("split_data.sh", data, 3).returncode == 0
    parts = [list(rows_of(data / f"split3/{job}/utt2spk")) for job in (1, 2, 3)]
    assert parts == [["s1-a", "s1-b", "s2-a"], ["s2-b"], ["s2-c", "s3-a"]]


def test_split_again_leaves_nothing_of_the_first(tool: Tool, data: Path) -> None:
    assert tool("split_data.sh", data, 2).returncode == 0
    (data / "split2/2/stale").touch()
    assert tool("split_data.sh", data, 2).returncode == 0
    assert not (data / "split2/2/stale").exists()


def test_more_jobs_than_utterances(tool: Tool, data: Path) -> None:
    line = error_line(tool("split_data.sh", data, 7))
    assert line == f"error: {data}: 6 utterances cannot be split 7 ways; run with --nj 6"


# split_by_speaker.sh


def big_corpus(directory: Path, n_speakers: int) -> None:
    """Speakers with 1 to 9 utterances each."""
    utts = {f"p{s:03d}-{u}": f"p{s:03d}" for s in range(n_speakers) for u in range(1 + s % 9)}
    write_rows(directory / "utt2spk", utts)
    write_rows(directory / "utt2age", dict.fromkeys(utts, "20"))


def test_split_by_speaker_shares_no_speaker_and_meets_the_fractions(tool: Tool, tmp_path: Path) -> None:
    big_corpus(tmp_path / "src", 100)
    assert tool("split_by_speaker.sh", "src", "out").returncode == 0
    sets = {name: rows_of(tmp_path / "out" / name / "utt2spk") for name in ("train", "dev", "test")}
    speakers = [set(rows.values()) for rows in sets.values()]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 100
    total = sum(map(len, sets.values()))
    assert total == len(rows_of(tmp_path / "src/utt2spk"))
    for name, share in (("train", 0.8), ("dev", 0.1), ("test", 0.1)):
        # No share is missed by more than the largest speaker.
        assert abs(len(sets[name]) - share * total) <= 9
        assert rows_of(tmp_path / "out" / name / "utt2age") == dict.fromkeys(sets[name], "20")


def test_split_by_speaker_depends_on_the_seed_and_not_on_the_order(tool: Tool, tmp_path: Path) -> None:
    big_corpus(tmp_path / "src", 20)
    write_rows(tmp_path / "mixed/utt2spk", dict(reversed(rows_of(tmp_path / "src/utt2spk").items())))
    for source, out, seed in (("src", "a", 1), ("mixed", "b", 1), ("src", "c", 2)):
        result = tool("split_by_speaker.sh", "--seed", seed, source, out, "--names", "x", "y", "--fractions", 3, 1)
        assert result.returncode == 0
    first, second, third = (rows_of(tmp_path / name / "y/utt2spk") for name in "abc")
    assert first == second
    assert first != third


def test_split_by_speaker_errors(tool: Tool, data: Path, tmp_path: Path) -> None:
    line = error_line(tool("split_by_speaker.sh", data, "o", "--names", *"abcd", "--fractions", 1, 1, 1, 1))
    assert line.startswith("error: 3 speakers cannot fill 4 sets that share none;")
    assert "give one positive share" in error_line(tool("split_by_speaker.sh", data, "o", "--fractions", 1, 0, 1))
    assert "give one positive share" in error_line(tool("split_by_speaker.sh", data, "o", "--fractions", 1, 1))
    assert not (tmp_path / "o").exists()


# get_utt2dur.sh, utt2spk_to_spk2utt.sh


def test_get_utt2dur(tool: Tool, data: Path) -> None:
    wanted = {utt: row[1] for utt, row in CORPUS.items()}
    (data / "utt2dur").unlink()
    assert tool("get_utt2dur.sh", data).returncode == 0
    assert {utt: float(value) for utt, value in rows_of(data / "utt2dur").items()} == wanted


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), (b"", "no readable audio"), (b"RIFFtext", "no readable audio")]
)
def test_get_utt2dur_of_a_bad_wav(tool: Tool, data: Path, tmp_path: Path, content: bytes | None, message: str) -> None:
    (data / "utt2dur").unlink()
    wav = tmp_path / "wav/s2-b.wav"
    wav.unlink()
    if content is not None:
        wav.write_bytes(content)
    line = error_line(tool("get_utt2dur.sh", data))
    assert line.startswith(f"error: {data}/wav.scp: s2-b: {wav}: {message}")
    assert not (data / "utt2dur").exists()


def test_get_utt2dur_of_a_wav_without_samples(tool: Tool, data: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "wav/s1-a.wav", 0)
    assert "s1-a.wav: holds no sample;" in error_line(tool("get_utt2dur.sh", data))


def test_utt2spk_to_spk2utt(tool: Tool, data: Path, tmp_path: Path) -> None:
    result = tool("utt2spk_to_spk2utt.sh", data / "utt2spk")
    assert (result.returncode, result.stdout) == (0, (data / "spk2utt").read_text())
    (tmp_path / "bad").write_text("a b\nc d e\n")
    result = tool("utt2spk_to_spk2utt.sh", "bad")
    assert result.returncode == 1
    assert result.stderr == 'utt2spk_to_spk2utt.sh: error: line 2: "c d e" is not <utterance> <speaker>\n'
