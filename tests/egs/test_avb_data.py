"""A-VB's label files and folder in all their forms, and what is wrong with them in one line."""

import csv
from pathlib import Path

import pytest
import yaml
from avb_miniature import COLUMNS, CULTURE_COLUMNS, EXAMPLE, Tables, changed, tables, with_speakers, write_labels
from exvo_miniature import write_wavs
from run_script import Result, run_script

from espnet2_ext.data.validate_data_dir import validate
from espnet2_ext.fileio.table import read_table
from espnet2_ext.mtl.task_spec import load_task_spec

RECIPE = Path(__file__).parents[2] / "egs/avb/mtl1"
IDS = [f"{number:05d}" for number in range(64)]


@pytest.fixture(scope="module")
def wavs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wavs")
    write_wavs(folder, IDS, seconds=0.02)
    return folder


@pytest.fixture
def corpus(tmp_path: Path, wavs: Path) -> Path:
    root = tmp_path / "corpus"
    root.mkdir()
    (root / "audio").symlink_to(wavs)
    return root


def prepare(root: Path, *options: str, tasks: Path = RECIPE / "conf/tasks.yaml") -> Result:
    """Run local/prepare_data.py; the data directories go beside the corpus."""
    data = root.parent / "data"
    return run_script(RECIPE / "local/prepare_data.py", "--root", root, "--data_dir", data, "--tasks", tasks, *options)


def prepared(root: Path, *options: str) -> dict[str, dict[str, dict[str, str]]]:
    """Run it successfully and return every table by set and name."""
    result = prepare(root, *options)
    assert result.returncode == 0, result.stderr
    folders = {name: root.parent / "data" / name for name in ("train", "dev", "test")}
    return {name: {path.name: read_table(path) for path in folder.iterdir()} for name, folder in folders.items()}


def test_tasks_are_those_of_the_challenge() -> None:
    spec = load_task_spec(RECIPE / "conf/tasks.yaml")
    assert spec.names == ("type", "two", "high", "culture")
    assert [task.n_outputs for task in spec] == [8, 2, 10, 40]
    for task in ("two", "high", "culture"):
        assert spec[task].dimensions == tuple(name.replace(" ", "_") for name in COLUMNS[task])


def test_official_sets_and_labels(corpus: Path) -> None:
    found = tables()
    write_labels(corpus, found)
    data = prepared(corpus)
    for name, split in {"train": "Train", "dev": "Val", "test": "Test"}.items():
        ids = [row["File_ID"].strip("[]") for row in found["type"] if row["Split"] == split]
        assert list(data[name]["file_id2utt"]) == ids
        for file_id, utt in data[name]["file_id2utt"].items():
            assert Path(data[name]["wav.scp"][utt]).name == f"{file_id}.wav"
            assert float(data[name]["utt2dur"][utt]) == pytest.approx(0.02)
            for task, columns in COLUMNS.items() if split != "Test" else ():
                row = found[task][int(file_id)]
                text = data[name][f"utt2{task}"][utt]
                if task == "type":
                    assert text == row["Voc_Type"]
                else:
                    assert [float(value) for value in text.split()] == [float(row[column]) for column in columns]
        validate(corpus.parent / "data" / name, feats=False, tasks_path=str(RECIPE / "conf/tasks.yaml"))
    assert not {f"utt2{task}" for task in COLUMNS} & set(data["test"])


def bare(found: Tables) -> Tables:
    return {task: [row | {"File_ID": row["File_ID"].strip("[]")} for row in rows] for task, rows in found.items()}


def reversed_columns(found: Tables) -> Tables:
    return {task: [{"Extra": "x"} | dict(reversed(row.items())) for row in rows] for task, rows in found.items()}


@pytest.mark.parametrize(
    ("found", "quoting", "spelling"),
    [
        (bare(tables()), csv.QUOTE_MINIMAL, {}),
        (tables(), csv.QUOTE_ALL, {}),
        (tables(), csv.QUOTE_MINIMAL, EXAMPLE),
        (tables(), csv.QUOTE_MINIMAL, {name: name.replace(" ", "_") for name in CULTURE_COLUMNS}),
        (tables(), csv.QUOTE_MINIMAL, {"Voc_Type": "voc type", "File_ID": "file_id"}),
        (reversed_columns(tables()), csv.QUOTE_MINIMAL, {}),
        ({task: rows[::-1] for task, rows in tables().items()}, csv.QUOTE_MINIMAL, {}),
    ],
    ids=["no brackets", "quoted", "the example's header", "underscores", "case", "order of columns", "order of rows"],
)
def test_forms_of_the_files(corpus: Path, found: Tables, quoting: int, spelling: dict[str, str]) -> None:
    """Each form of the files gives what the plain one does, but for the header that submissions repeat."""
    write_labels(corpus, tables())
    expected = prepared(corpus)
    write_labels(corpus, found, quoting, spelling)
    data = prepared(corpus)
    headers = {name: folder.pop("label_header") for name, folder in data.items()}
    for folder in expected.values():
        del folder["label_header"]
    assert data == expected
    row = found["culture"][0]
    wanted = [spelling.get(column, column) for column in row if column in CULTURE_COLUMNS]
    assert headers["test"]["culture"] == ",".join(wanted)


def test_upper_case_extension_and_missing_wavs(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    write_labels(root, tables())
    write_wavs(root / "audio", [name for name in IDS if name not in ("00003", "00063")], 0.02, suffix=".WAV")
    result = prepare(root)
    assert result.returncode == 0
    assert "2 of 64 ids have no wav" in result.stderr
    data = prepared(root)
    assert len(data["train"]["wav.scp"]) == 31
    assert data["test"]["file_id2utt"]["00063"] == "-"


def test_missing_cells_and_rows_are_masked_and_told(corpus: Path) -> None:
    found = changed("culture", 1, **{"South Africa_Sadness": ""})
    found["type"][2]["Voc_Type"] = "nan"
    del found["two"][4]
    write_labels(corpus, found)
    result = prepare(corpus)
    for line in ("culture: 1 of 48", "type: 1 of 48", "two: 1 of 48"):
        assert f"warning: {line} recordings of Train and Val lack a label" in result.stderr
    assert "high: " not in result.stderr
    train = prepared(corpus)["train"]
    utts = train["file_id2utt"]
    values = train["utt2culture"][utts["00001"]].split()
    assert [place for place, value in enumerate(values) if value == "nan"] == [
        CULTURE_COLUMNS.index("South Africa_Sadness")
    ]
    assert utts["00002"] not in train["utt2type"]
    assert utts["00004"] not in train["utt2two"]
    assert utts["00004"] in train["utt2high"]


def test_counts_and_speakers(corpus: Path) -> None:
    write_labels(corpus, tables())
    result = prepare(corpus)
    assert "train: 32 rows (released: 19990), 32 with a wav, 32 speakers" in result.stdout
    assert "test: 16 rows (released: 19815), 16 with a wav, 16 speakers, 0.00 h, no labels" in result.stdout
    assert "warning: dev has 16 rows, the released table 19396" in result.stderr
    assert "64 rows have no Subject_ID; each counts as a speaker of its own" in result.stderr
    write_labels(corpus, with_speakers(tables()))
    result = prepare(corpus)
    assert "train: 32 rows (released: 19990), 32 with a wav, 8 speakers" in result.stdout
    assert "warning: 16 speakers, the corpus has 1702" in result.stderr


def test_speakers_of_another_table(corpus: Path, tmp_path: Path) -> None:
    write_labels(corpus, tables())
    table = tmp_path / "speakers.csv"
    rows = with_speakers(tables())["two"]
    table.write_text("Subject_ID,File_ID\n" + "".join(f"{row['Subject_ID']},{row['File_ID']}\n" for row in rows))
    data = prepared(corpus, "--speaker_table", str(table))
    assert data["train"]["utt2spk"]["Speaker_1-00005"] == "Speaker_1"


def without(found: Tables, task: str, column: str) -> Tables:
    for row in found[task]:
        del row[column]
    return found


def repeated_column() -> Tables:
    found = tables()
    for row in found["culture"]:
        row["SouthAfrica_Sadness"] = "0.1"
    return found


def shared_speaker() -> Tables:
    found = with_speakers(tables())
    for task in COLUMNS:
        found[task][40]["Subject_ID"] = "Speaker_1"
    return found


def two_speakers() -> Tables:
    found = with_speakers(tables())
    found["two"][7]["Subject_ID"] = "Speaker_9"
    return found


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (without(tables(), "type", "Voc_Type"), "type_info.csv: no column Voc_Type of task 'type'"),
        (without(tables(), "culture", "China_Awe"), "culture_info.csv: no column China_Awe of task 'culture'"),
        (without(tables(), "high", "Split"), "high_info.csv: no column Split"),
        (repeated_column(), "columns South Africa_Sadness, SouthAfrica_Sadness all fit South_Africa_Sadness"),
        (changed("type", 3, Voc_Type="Sigh"), "type_info.csv:5: 'Sigh' is no class of 'type'"),
        (changed("two", 3, Valence="1.2"), "two_info.csv:5: 1.2 is not in [0, 1]"),
        (changed("two", 3, Arousal="high"), "two_info.csv:5: 'high' is no number"),
        (changed("two", 3, Arousal="inf"), "two_info.csv:5: 'inf' is no number"),
        (changed("high", 3, Awe="-0.1"), "high_info.csv:5: -0.1 is not in [0, 1]"),
        (changed("high", 3, File_ID="[00001]"), "high_info.csv:5: 00001: is in line 3 too"),
        (changed("high", 3, File_ID="nan"), "high_info.csv:5: File_ID 'nan' is no id"),
        (changed("high", 3, File_ID="[a b]"), "high_info.csv:5: File_ID '[a b]' is no id"),
        (changed("high", 3, Split="nan"), "high_info.csv:5: Split 'nan' is none of"),
        (changed("high", 3, Split="Val"), "high_info.csv:5: 00003: is in dev here and in train in"),
        (shared_speaker(), "speaker Speaker_1 is in dev here and in train before"),
        (two_speakers(), "two_info.csv:9: 00007: Subject_ID is 'Speaker_9' here and 'Speaker_1' before"),
        ({task: rows[:32] for task, rows in tables().items()}, "no row has the split Val"),
    ],
)
def test_bad_tables_are_one_clear_line(corpus: Path, found: Tables, message: str) -> None:
    write_labels(corpus, found)
    result = prepare(corpus)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (corpus.parent / "data").exists()


def test_missing_labels_can_be_refused(corpus: Path) -> None:
    write_labels(corpus, changed("high", 1, Awe="nan"))
    result = prepare(corpus, "--allow_missing", "false")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "00001: high: the label is missing" in line


def present(root: Path) -> Result:
    out = root.parent / "tasks.yaml"
    return run_script(
        RECIPE / "local/present_tasks.py", "--root", root, "--tasks", RECIPE / "conf/tasks.yaml", "--out", out
    )


def test_absent_label_files_drop_their_tasks(corpus: Path) -> None:
    found = tables()
    write_labels(corpus, {"culture": found["culture"], "type": found["type"]})
    result = present(corpus)
    assert result.returncode == 0
    assert [line.split(": ")[-1] for line in result.stderr.splitlines()] == [
        "no such file; the task two is left out", "no such file; the task high is left out",
    ]  # fmt: skip
    path = corpus.parent / "tasks.yaml"
    spec, whole = load_task_spec(path), load_task_spec(RECIPE / "conf/tasks.yaml")
    assert tuple(spec) == (whole["type"], whole["culture"])
    assert [term["task"] for term in yaml.safe_load(path.read_text())["score"]["terms"]] == ["type", "culture"]
    result = prepare(corpus, tasks=path)
    assert result.returncode == 0, result.stderr
    train = corpus.parent / "data/train"
    assert {entry.name for entry in train.glob("utt2*")} == {"utt2spk", "utt2dur", "utt2type", "utt2culture"}
    time = path.stat().st_mtime_ns
    present(corpus)
    assert path.stat().st_mtime_ns == time


def test_all_label_files_keep_all_tasks(corpus: Path) -> None:
    write_labels(corpus, tables())
    result = present(corpus)
    assert (result.returncode, result.stderr) == (0, "")
    assert load_task_spec(corpus.parent / "tasks.yaml") == load_task_spec(RECIPE / "conf/tasks.yaml")


def test_bad_folders(tmp_path: Path) -> None:
    def error(run: Result) -> str:
        assert run.returncode == 1
        (line,) = run.stderr.splitlines()
        return line

    root = tmp_path / "corpus"
    assert f"{root}: no such directory; give the challenge's folder with --avb_root" in error(present(root))
    root.mkdir()
    assert "labels: has none of type_info.csv, two_info.csv" in error(present(root))
    write_labels(root, tables())
    assert f"{root}/audio/wav: no such directory" in error(prepare(root))
    write_wavs(root / "audio", IDS[:60], seconds=0.02)
    assert "4 of 64 ids have no wav" in error(prepare(root))
    write_wavs(root / "audio", IDS, seconds=0.02)
    (root / "audio/wav/00007.wav").write_text("")
    assert "00007.wav" in error(prepare(root))
