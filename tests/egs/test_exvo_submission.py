"""ExVo's submission: averages by hand, and every fault that the checker names."""

import csv
import json
from pathlib import Path

import pytest
from exvo_miniature import EMOTIONS
from run_script import Result, run_script

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "egs/exvo/mtl1"
COUNTRIES = ("China", "United_States", "South_Africa", "Venezuela")
HEADER = ["File_ID", "Country", "Age", *EMOTIONS]
UTTS = {"00003": "a-00003", "00001": "b-00001", "00002": "-"}


def run(script: str, *arguments: object) -> Result:
    return run_script(RECIPE / "local" / script, *arguments, "--tasks", RECIPE / "conf/tasks.yaml")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "test"
    folder.mkdir()
    (folder / "file_id2utt").write_text("".join(f"{key} {UTTS[key]}\n" for key in sorted(UTTS)))
    (folder / "country_codes").write_text("".join(f"{code} {name}\n" for code, name in enumerate(COUNTRIES, 1)))
    return folder


def predictions(path: Path, table: dict[str, tuple[float, float, tuple[float, ...]]], tasks: str = "eca") -> Path:
    """Write predictions.jsonl: by utterance the value of all emotions, the age, the countries' probabilities."""
    with path.open("w") as file:
        for utt, (emotion, age, shares) in table.items():
            record: dict[str, object] = {"utt": utt}
            if "e" in tasks:
                record["emotion"] = dict.fromkeys(EMOTIONS, emotion)
            if "c" in tasks:
                record["country"] = {"class": "China", "probabilities": dict(zip(COUNTRIES, shares, strict=True))}
            if "a" in tasks:
                record["age"] = {"Age": age}
            file.write(json.dumps(record) + "\n")
    return path


def read(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_average_of_models(tmp_path: Path, data: Path) -> None:
    """Votes would give China; the mean probability gives Venezuela. The third recording has no wav."""
    one = predictions(
        tmp_path / "1.jsonl", {"b-00001": (0.2, 20, (0.5, 0, 0, 0.5)), "a-00003": (0.4, 50, (0.6, 0.1, 0, 0.3))}
    )
    two = predictions(
        tmp_path / "2.jsonl", {"a-00003": (0.2, 60, (0.6, 0.1, 0, 0.3)), "b-00001": (0.5, 23, (0.1, 0, 0, 0.9))}
    )
    alone = predictions(tmp_path / "3.jsonl", {"b-00001": (0, 26, ()), "a-00003": (0, 10, ())}, tasks="a")
    result = run(
        "make_submission.py", "--predictions", one, two, alone, "--data", data, "--out_dir", tmp_path, "--team", "lab"
    )
    assert result.returncode == 0, result.stderr
    assert "1 recordings without prediction were filled in" in result.stderr
    header, first, second, third = read(tmp_path / "ExVo-Multi_lab_1.csv")
    assert header == HEADER
    # 00001: mean of .5 .1 against .5 .9; ages 20, 23, 26. 00003: ages 50, 60, 10 have the mean 40.
    assert first[:2] == ["[00001]", "4"]
    assert [float(v) for v in first[2:]] == pytest.approx([23.0, *[0.35] * 10])
    assert third[:2] == ["[00003]", "1"]
    assert [float(v) for v in third[2:]] == pytest.approx([40.0, *[0.3] * 10])
    assert second[0] == "[00002]"
    assert [float(v) for v in second[2:]] == pytest.approx([31.5, *[0.325] * 10])
    assert run("check_submission.py", tmp_path / "ExVo-Multi_lab_1.csv", "--data", data).returncode == 0


def test_values_are_brought_into_range(tmp_path: Path, data: Path) -> None:
    one = predictions(tmp_path / "1.jsonl", {"b-00001": (0.2, 3, (1, 0, 0, 0)), "a-00003": (1.5, 99, (0, 0, 1, 0))})
    assert run("make_submission.py", "--predictions", one, "--data", data, "--out_dir", tmp_path).returncode == 0
    _, first, _, third = read(tmp_path / "ExVo-Multi_team_1.csv")
    assert [float(v) for v in (first[2], third[2], third[3])] == [18, 45, 1]


def test_what_cannot_be_submitted(tmp_path: Path, data: Path) -> None:
    whole = predictions(tmp_path / "1.jsonl", {"b-00001": (0.2, 20, (1, 0, 0, 0))})
    part = predictions(tmp_path / "2.jsonl", {"b-00001": (0.2, 20, (1, 0, 0, 0))}, tasks="ea")
    other = predictions(tmp_path / "3.jsonl", {"z-00009": (0.2, 20, (1, 0, 0, 0))})
    for files, options, message in (
        ([part], [], "no prediction of country"),
        ([whole, other], [], "other utterances"),
        ([other], [], "z-00009: predicted, but not of this set"),
        ([whole], ["--team", "a b"], "letters, digits"),
        ([whole], ["--number", "0"], "from 1"),
        ([tmp_path / "none.jsonl"], [], "none.jsonl"),
    ):
        result = run("make_submission.py", "--predictions", *files, "--data", data, "--out_dir", tmp_path, *options)
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        assert message in line
        assert not list(tmp_path.glob("ExVo*"))


GOOD = [HEADER, *([f"[{key}]", "2", "30.5", *["0.1"] * 10] for key in ("00002", "00001", "00003"))]


def replaced(row: int, column: int, value: str) -> list[list[str]]:
    return [[value if (r, c) == (row, column) else cell for c, cell in enumerate(line)] for r, line in enumerate(GOOD)]


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("ExVo-Multi_x_1.csv", GOOD, ""),
        ("ExVo-Multi_my_lab_12.csv", GOOD, ""),
        ("ExVo_x_1.csv", GOOD, "is called ExVo-Multi_<team>_<n>.csv"),
        ("ExVo-Multi_x_0.csv", GOOD, "is called ExVo-Multi_<team>_<n>.csv"),
        ("ExVo-Multi_x_1.csv", [row[:-1] for row in GOOD], ":1: the columns are"),
        ("ExVo-Multi_x_1.csv", replaced(0, 3, "Awee"), ":1: the columns are"),
        ("ExVo-Multi_x_1.csv", GOOD[:-1], "2 rows for 3 recordings; [00003] is missing"),
        ("ExVo-Multi_x_1.csv", [*GOOD, GOOD[1]], ":5: [00002] stands in line 2 too"),
        ("ExVo-Multi_x_1.csv", replaced(2, 0, "00001"), ":3: File_ID '00001' is no recording of the set, in brackets"),
        ("ExVo-Multi_x_1.csv", replaced(2, 0, "[00009]"), ":3: File_ID '[00009]' is no recording"),
        ("ExVo-Multi_x_1.csv", replaced(1, 1, "0"), ":2: [00002]: Country '0' is none of 1 (China), 2"),
        ("ExVo-Multi_x_1.csv", replaced(1, 1, "China"), "Country 'China' is none of"),
        ("ExVo-Multi_x_1.csv", replaced(3, 2, "0.3"), ":4: [00003]: Age '0.3' is no number in [18, 45]"),
        ("ExVo-Multi_x_1.csv", replaced(3, 5, "nan"), "Amusement 'nan' is no number in [0, 1]"),
        ("ExVo-Multi_x_1.csv", replaced(3, 5, "-0.1"), "Amusement '-0.1' is no number in [0, 1]"),
        ("ExVo-Multi_x_1.csv", [*GOOD[:-1], GOOD[-1][:4]], ":4: 4 cells for 13 columns"),
        ("ExVo-Multi_x_1.csv", [], ":1: the columns are"),
    ],
)
def test_checker(tmp_path: Path, data: Path, name: str, table: list[list[str]], message: str) -> None:
    path = tmp_path / name
    path.write_text("".join(",".join(row) + "\n" for row in table))
    result = run("check_submission.py", path, "--data", data)
    assert result.returncode == bool(message), result.stderr
    if message:
        (line,) = result.stderr.splitlines()
        assert message in line
    else:
        assert result.stdout == f"{path}: 3 rows, good\n"
