"""A-VB's submissions: averages by hand, and every fault that the checker names."""

import csv
import json
from pathlib import Path

import pytest
from avb_miniature import COLUMNS, CULTURE_COLUMNS, EXAMPLE, TYPES
from run_script import Result, run_script

RECIPE = Path(__file__).parents[2] / "egs/avb/mtl1"
UTTS = {"00003": "a-00003", "00001": "b-00001", "00002": "-"}
# Spelt as in the organisers' example.
CULTURE_HEADER = [EXAMPLE.get(column, column) for column in CULTURE_COLUMNS]


def run(script: str, *arguments: object) -> Result:
    return run_script(RECIPE / "local" / script, *arguments, "--tasks", RECIPE / "conf/tasks.yaml")


def write_data(folder: Path, **headers: list[str]) -> Path:
    """Write what submissions need of data/test; `headers` are those of label files in another form."""
    folder.mkdir()
    (folder / "file_id2utt").write_text("".join(f"{key} {UTTS[key]}\n" for key in sorted(UTTS)))
    lines = {task: ",".join(headers.get(task, columns)) for task, columns in COLUMNS.items()}
    (folder / "label_header").write_text("".join(f"{task} {lines[task]}\n" for task in sorted(lines)))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "test", culture=CULTURE_HEADER)


def shares(**values: float) -> dict[str, object]:
    """Probabilities of the eight types."""
    known = dict.fromkeys(TYPES, 0.0) | values
    return {"class": max(known, key=known.__getitem__), "probabilities": known}


def predictions(path: Path, table: dict[str, dict[str, object]]) -> Path:
    """Write predictions.jsonl: by utterance and task, `shares` or one value, to which each dimension adds .001."""
    with path.open("w") as file:
        for utt, tasks in table.items():
            record: dict[str, object] = {"utt": utt}
            for task, value in tasks.items():
                names = [name.replace(" ", "_") for name in COLUMNS[task]]
                record[task] = (
                    value if task == "type" else {name: value + 0.001 * place for place, name in enumerate(names)}
                )
            file.write(json.dumps(record) + "\n")
    return path


def read(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_average_of_models(tmp_path: Path, data: Path) -> None:
    """Votes would give Gasp to 00001; the mean probability gives Laugh. 00002 has no wav; a model has two tasks."""
    one = predictions(
        tmp_path / "1.jsonl",
        {
            "b-00001": {"type": shares(Gasp=0.51, Laugh=0.49), "two": 0.2, "high": 0.1, "culture": 0.3},
            "a-00003": {"type": shares(Other=1.0), "two": 0.4, "high": 0.3, "culture": 0.5},
        },
    )
    two = predictions(
        tmp_path / "2.jsonl",
        {
            "a-00003": {"type": shares(Other=1.0), "two": 0.6, "high": 0.5, "culture": 0.7},
            "b-00001": {"type": shares(Gasp=0.51, Laugh=0.49), "two": 0.4, "high": 0.3, "culture": 0.1},
        },
    )
    third = predictions(
        tmp_path / "3.jsonl",
        {"a-00003": {"type": shares(Other=1.0), "two": 0.8}, "b-00001": {"type": shares(Laugh=1.0), "two": 0.9}},
    )
    result = run(
        "make_submission.py", "--predictions", one, two, third, "--data", data, "--out_dir", tmp_path, "--team", "lab",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("1 recordings without prediction were filled in") == 4
    assert read(tmp_path / "A-VB-Type_lab_1.csv") == [
        ["File_ID", "Voc_Type"], ["[00001]", "Laugh"], ["[00002]", "Laugh"], ["[00003]", "Other"],
    ]  # fmt: skip
    # Means of .2 .4 .9 and .4 .6 .8, and of both.
    for task, means in (("Two", (0.5, 0.55, 0.6)), ("High", (0.2, 0.3, 0.4)), ("Culture", (0.2, 0.4, 0.6))):
        header, *rows = read(tmp_path / f"A-VB-{task}_lab_1.csv")
        assert header == ["File_ID", *(CULTURE_HEADER if task == "Culture" else COLUMNS[task.lower()])]
        for row, file_id, mean in zip(rows, ("[00001]", "[00002]", "[00003]"), means, strict=True):
            assert row[0] == file_id
            assert [float(cell) for cell in row[1:]] == pytest.approx([mean + 0.001 * i for i in range(len(row) - 1)])
    files = sorted(tmp_path.glob("A-VB-*.csv"))
    result = run("check_submission.py", *files, "--data", data)
    assert result.stdout == "".join(f"{path}: 3 rows, good\n" for path in files)


def test_columns_are_in_the_label_files_order(tmp_path: Path) -> None:
    data = write_data(tmp_path / "test", two=["Arousal", "Valence"])
    one = predictions(tmp_path / "1.jsonl", {"b-00001": {"two": 0.2}, "a-00003": {"two": 0.4}})
    assert run("make_submission.py", "--predictions", one, "--data", data, "--out_dir", tmp_path).returncode == 0
    header, first, *_ = read(tmp_path / "A-VB-Two_team_1.csv")
    assert header == ["File_ID", "Arousal", "Valence"]
    assert [float(cell) for cell in first[1:]] == pytest.approx([0.201, 0.2])
    assert not list(tmp_path.glob("A-VB-[!T]*"))


def test_values_are_brought_into_range(tmp_path: Path, data: Path) -> None:
    one = predictions(tmp_path / "1.jsonl", {"b-00001": {"two": -0.3}, "a-00003": {"two": 1.5}})
    assert run("make_submission.py", "--predictions", one, "--data", data, "--out_dir", tmp_path).returncode == 0
    _, first, _, third = read(tmp_path / "A-VB-Two_team_1.csv")
    assert [float(cell) for cell in (*first[1:], *third[1:])] == [0, 0, 1, 1]


def test_what_cannot_be_submitted(tmp_path: Path, data: Path) -> None:
    good = predictions(tmp_path / "1.jsonl", {"b-00001": {"two": 0.2}})
    other = predictions(tmp_path / "2.jsonl", {"z-00009": {"two": 0.2}})
    none = predictions(tmp_path / "3.jsonl", {"b-00001": {}})
    for files, options, message in (
        ([good, other], [], "other utterances"),
        ([other], [], "z-00009: predicted, but not of this set"),
        ([none], [], "3.jsonl"),
        ([good], ["--team", "a b"], "letters, digits"),
        ([good], ["--number", "0"], "from 1"),
        ([tmp_path / "none.jsonl"], [], "none.jsonl"),
    ):
        result = run("make_submission.py", "--predictions", *files, "--data", data, "--out_dir", tmp_path, *options)
        assert result.returncode == 1, message
        (line,) = result.stderr.splitlines()
        assert message in line
        assert not list(tmp_path.glob("A-VB*"))


IDS = ("[00002]", "[00001]", "[00003]")
TYPE = [["File_ID", "Voc_Type"], *([file_id, "Cry"] for file_id in IDS)]
TWO = [["File_ID", "Valence", "Arousal"], *([file_id, "0.5", "1"] for file_id in IDS)]
CULTURE = [["File_ID", *CULTURE_COLUMNS], *([file_id, *["0.25"] * 40] for file_id in IDS)]


def replaced(table: list[list[str]], row: int, column: int, value: str) -> list[list[str]]:
    return [[value if (r, c) == (row, column) else cell for c, cell in enumerate(line)] for r, line in enumerate(table)]


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("A-VB-Type_my_lab_12.csv", TYPE, ""),
        ("A-VB-Two_x_1.csv", TWO, ""),
        ("A-VB-Culture_x_1.csv", CULTURE, ""),
        ("A-VB-Culture_x_1.csv", [["File_ID", *CULTURE_HEADER], *CULTURE[1:]], ""),
        ("A-VB-Culture_x_1.csv", replaced(CULTURE, 0, 3, "China_Joy"), ":1: the columns are"),
        ("A-VB_x_1.csv", TYPE, "name one of A-VB-Type, A-VB-Two, A-VB-High, A-VB-Culture"),
        ("A-VB-Type_x_0.csv", TYPE, "is called <name>_<team>_<n>.csv, n from 1"),
        ("A-VB-Two_x_1.csv", [row[:-1] for row in TWO], ":1: the columns are"),
        ("A-VB-Two_x_1.csv", replaced(replaced(TWO, 0, 1, "Arousal"), 0, 2, "Valence"), ":1: the columns are"),
        ("A-VB-Two_x_1.csv", TWO[:-1], "2 rows for 3 recordings; [00003] is missing"),
        ("A-VB-Two_x_1.csv", [*TWO, TWO[1]], ":5: [00002] stands in line 2 too"),
        ("A-VB-Two_x_1.csv", replaced(TWO, 2, 0, "00001"), ":3: File_ID '00001' is no recording of the set"),
        ("A-VB-Two_x_1.csv", replaced(TWO, 2, 0, "[00009]"), ":3: File_ID '[00009]' is no recording of the set"),
        ("A-VB-Two_x_1.csv", replaced(TWO, 1, 1, "1.01"), ":2: [00002]: Valence '1.01' is no number in [0, 1]"),
        ("A-VB-Two_x_1.csv", replaced(TWO, 1, 2, "nan"), ":2: [00002]: Arousal 'nan' is no number in [0, 1]"),
        ("A-VB-Type_x_1.csv", replaced(TYPE, 3, 1, "cry"), ":4: [00003]: Voc_Type 'cry' is none of Gasp, Laugh, Cry"),
        ("A-VB-Type_x_1.csv", [*TYPE[:-1], TYPE[-1][:1]], ":4: 1 cells for 2 columns"),
        ("A-VB-Type_x_1.csv", [], ":1: the columns are"),
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


def test_both_spellings_of_the_header(tmp_path: Path) -> None:
    """Whichever the label file has."""
    path = tmp_path / "A-VB-Culture_x_1.csv"
    for number, spelling in enumerate((CULTURE_HEADER, list(CULTURE_COLUMNS))):
        data = write_data(tmp_path / f"test{number}", culture=spelling)
        for header in (CULTURE_HEADER, list(CULTURE_COLUMNS)):
            path.write_text("".join(",".join(row) + "\n" for row in [["File_ID", *header], *CULTURE[1:]]))
            assert run("check_submission.py", path, "--data", data).returncode == 0
