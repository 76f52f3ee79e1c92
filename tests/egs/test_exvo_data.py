"""ExVo's table and folder in all their forms, and what is wrong with them in one line."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from exvo_miniature import COLUMNS, EMOTIONS, Rows, rows, write_table, write_wavs
from run_script import Result, run_script

from espnet2_ext.fileio.table import read_table

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "egs/exvo/mtl1"
NAMES = ("China", "United_States", "South_Africa", "Venezuela")


@pytest.fixture(scope="module")
def wavs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wavs")
    write_wavs(folder, [f"{number:05d}" for number in range(60)], seconds=0.02)
    return folder / "wav"


@pytest.fixture
def corpus(tmp_path: Path, wavs: Path) -> Path:
    root = tmp_path / "corpus"
    root.mkdir()
    (root / "wav").symlink_to(wavs)
    return root


def prepare(root: Path, *options: str) -> Result:
    """Run local/prepare_data.py; the data directories go beside the corpus."""
    data, tasks = root.parent / "data", RECIPE / "conf/tasks.yaml"
    script = RECIPE / "local/prepare_data.py"
    return run_script(script, "--root", root, "--data_dir", data, "--tasks", tasks, "--countries", *NAMES, *options)


def prepared(root: Path, *options: str) -> dict[str, dict[str, dict[str, str]]]:
    """Run it successfully and return every table by set and name."""
    result = prepare(root, *options)
    assert result.returncode == 0, result.stderr
    folders = {name: root.parent / "data" / name for name in ("train", "dev", "test")}
    return {name: {path.name: read_table(path) for path in folder.iterdir()} for name, folder in folders.items()}


def test_official_sets_real_speakers_and_labels(corpus: Path) -> None:
    table = rows()
    write_table(corpus, table)
    data = prepared(corpus)
    by_split = {"train": "Train", "dev": "Val", "test": "Test"}
    for name, split in by_split.items():
        chosen = [row for row in table if row["Split"] == split]
        assert len(data[name]["wav.scp"]) == len(chosen)
        for row in chosen:
            file_id = row["File_ID"].strip("[]")
            utt = data[name]["file_id2utt"][file_id]
            assert Path(data[name]["wav.scp"][utt]).stem == file_id
            assert float(data[name]["utt2dur"][utt]) == pytest.approx(0.02)
            if split == "Test":
                continue
            assert data[name]["utt2spk"][utt] == row["Subject_ID"]
            assert utt == f"{row['Subject_ID']}-{file_id}"
            assert [float(v) for v in data[name]["utt2emotion"][utt].split()] == [float(row[e]) for e in EMOTIONS]
            assert float(data[name]["utt2age"][utt]) == float(row["Age"])
            assert data[name]["utt2country"][utt] == row["Country_string"].replace(" ", "_")
    assert not {"utt2emotion", "utt2age", "utt2country"} & set(data["test"])
    assert data["test"]["country_codes"] == dict(zip("0123", NAMES, strict=True))


def test_kaldi_rules_hold(corpus: Path) -> None:
    write_table(corpus, rows())
    prepared(corpus)
    for name in ("train", "dev", "test"):
        folder = corpus.parent / "data" / name
        result = subprocess.run(
            [
                sys.executable, "-m", "espnet2_ext.data.validate_data_dir", "--no-feats", "--tasks",
                RECIPE / "conf/tasks.yaml", folder,
            ],
            capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr


def plain_ids(table: Rows) -> Rows:
    return [row | {"File_ID": row["File_ID"].strip("[]")} for row in table]


def number_from_one(table: Rows) -> Rows:
    return [row | {"Country": str(int(row["Country"]) + 1) if row["Country"] else ""} for row in table]


@pytest.mark.parametrize(
    ("table", "columns", "quoting"),
    [
        (plain_ids(rows()), COLUMNS, csv.QUOTE_MINIMAL),
        (rows(), COLUMNS, csv.QUOTE_ALL),
        ([row | {"File_ID": f"'{row['File_ID']}'"} for row in rows()], COLUMNS, csv.QUOTE_MINIMAL),
        (rows(), tuple(name for name in COLUMNS if name != "Country_string"), csv.QUOTE_MINIMAL),
        (rows(), ("", "Extra", *reversed(COLUMNS), "Voc_Type"), csv.QUOTE_MINIMAL),
        ([row | {"Country": row["Country"] and f"{row['Country']}.0"} for row in rows()], COLUMNS, csv.QUOTE_MINIMAL),
        ([row | {"Country": row["Country_string"]} for row in rows()], COLUMNS, csv.QUOTE_MINIMAL),
        ([row | {"Country_string": row["Country_string"].lower()} for row in rows()], COLUMNS, csv.QUOTE_MINIMAL),
    ],
    ids=["no brackets", "quoted", "quoted inside", "no names", "extra columns", "floats", "names as Country", "case"],
)
def test_forms_of_the_table(corpus: Path, table: Rows, columns: tuple[str, ...], quoting: int) -> None:
    """Each form of the table gives what the plain one does."""
    write_table(corpus, rows())
    expected = prepared(corpus)
    write_table(corpus, table, columns, quoting)
    assert prepared(corpus) == expected


def test_numbers_of_countries_are_kept(corpus: Path) -> None:
    write_table(corpus, number_from_one(rows()))
    assert prepared(corpus)["test"]["country_codes"] == dict(zip("1234", NAMES, strict=True))


def test_order_of_countries_by_option(corpus: Path) -> None:
    columns = tuple(name for name in COLUMNS if name != "Country_string")
    write_table(corpus, rows(), columns)
    data = prepared(corpus, "--countries", *reversed(NAMES))
    assert data["dev"]["country_codes"] == dict(zip("0123", reversed(NAMES), strict=True))
    assert data["train"]["utt2country"]["Speaker_0-00000"] == "Venezuela"


def test_upper_case_extension(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    write_table(root, rows())
    write_wavs(root, [f"{number:05d}" for number in range(60)], seconds=0.02, suffix=".WAV")
    assert len(prepared(root)["train"]["wav.scp"]) == 30


def test_a_few_wavs_may_be_missing(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    write_table(root, rows())
    write_wavs(root, [f"{number:05d}" for number in range(60) if number not in (3, 59)], seconds=0.02)
    data = prepared(root)
    assert len(data["train"]["wav.scp"]) == 29
    assert data["test"]["file_id2utt"]["59".zfill(5)] == "-"
    assert "2 of 60 ids have no wav" in prepare(root).stderr


def test_an_id_with_two_wavs(tmp_path: Path) -> None:
    """As when an archive was unpacked twice, once below the other: none is missing, so another copy is no remedy."""
    root = tmp_path / "corpus"
    write_table(root, rows())
    write_wavs(root, [f"{number:05d}" for number in range(60)], seconds=0.02)
    (root / "wav/wav").mkdir()
    (root / "wav/wav/00003.wav").write_bytes((root / "wav/00003.wav").read_bytes())
    result = prepare(root)
    assert result.returncode == 1
    paths = f"{root}/wav/00003.wav and {root}/wav/wav/00003.wav"
    assert result.stderr == f"error: {root}/data_info.csv:5: 00003: has 2 wavs, {paths}; remove all but one\n"
    assert not (tmp_path / "data").exists()


def test_test_rows_with_speakers_and_labels(corpus: Path) -> None:
    """A release that gives the speakers, or all labels, of Test."""
    table = rows()
    for number, row in enumerate(table):
        if row["Split"] == "Test":
            row |= {
                "Subject_ID": f"Speaker_{number // 5}",
                "Country": "3",
                "Age": "31",
                **dict.fromkeys(EMOTIONS, "0.5"),
            }
    write_table(corpus, table)
    data = prepared(corpus)
    assert set(data["test"]["utt2spk"].values()) == {"Speaker_9", "Speaker_10", "Speaker_11"}
    assert set(data["test"]["utt2country"].values()) == {"Venezuela"}


def test_counts_are_compared_with_the_release(corpus: Path) -> None:
    write_table(corpus, rows())
    result = prepare(corpus)
    assert "train: 30 rows (released: 19990), 30 with a wav, 6 speakers" in result.stdout
    assert "warning: dev has 15 rows, the released table 19396" in result.stderr
    assert "15 rows have no Subject_ID" in result.stderr


def changed(number: int, **cells: str) -> Rows:
    table = rows()
    table[number] |= cells
    return table


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        (rows(), tuple(c for c in COLUMNS if c != "Awe"), "no column for 'Awe'"),
        (rows(), tuple(c for c in COLUMNS if c != "Subject_ID"), "no column Subject_ID"),
        (changed(0, Country_string="Brazil"), COLUMNS, "data_info.csv:2: Country_string 'Brazil' is no class"),
        (changed(7, Country="9", Country_string=""), COLUMNS, "cannot be told apart"),
        (changed(50, Country="9"), COLUMNS, "data_info.csv:52: Country '9' was never seen"),
        (changed(0, Country="1"), COLUMNS, "is United_States here and China before"),
        (changed(1, Age="0"), COLUMNS, "data_info.csv:3: 0 is not in [18, 45]"),
        (changed(1, Age="nan"), COLUMNS, "data_info.csv:3: 00001: age: the label is missing"),
        (changed(1, Age="old"), COLUMNS, "data_info.csv:3: 'old' is no number"),
        (changed(1, Awe="1.2"), COLUMNS, "data_info.csv:3: 1.2 is not in [0, 1]"),
        (changed(1, Awe=""), COLUMNS, "data_info.csv:3: 00001: emotion: the label is missing"),
        (changed(1, Country="", Country_string=""), COLUMNS, "00001: country: the label is missing"),
        (changed(1, File_ID="[00000]"), COLUMNS, "data_info.csv:3: 00000: is in line 2 too"),
        (changed(1, File_ID="[../x]"), COLUMNS, "is no id such as"),
        (changed(1, Split="Dev2"), COLUMNS, "data_info.csv:3: Split 'Dev2' is none of"),
        (changed(1, Subject_ID="Speaker_8"), COLUMNS, "the official sets share no speaker"),
        ([row for row in rows() if row["Split"] != "Val"], COLUMNS, "no row has the split Val"),
        ([], COLUMNS, "has a header and no rows"),
    ],
)
def test_bad_tables_are_one_clear_line(corpus: Path, table: Rows, columns: tuple[str, ...], message: str) -> None:
    write_table(corpus, table, columns)
    result = prepare(corpus)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (corpus.parent / "data").exists()


def test_missing_labels_by_option(corpus: Path) -> None:
    write_table(corpus, changed(1, Age="nan", Awe=""))
    data = prepared(corpus, "--allow_missing", "true")
    assert "Speaker_0-00001" not in data["train"]["utt2age"]
    assert data["train"]["utt2emotion"]["Speaker_0-00001"].split()[0] == "nan"


def test_bad_folders(tmp_path: Path) -> None:
    def error(root: Path) -> str:
        result = prepare(root)
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        return line

    root = tmp_path / "corpus"
    assert f"{root}: no such directory; give the challenge's folder with --exvo_root" in error(root)
    root.mkdir()
    assert "data_info.csv: no such file" in error(root)
    write_table(root, rows())
    assert f"{root}/wav: no such directory" in error(root)
    write_wavs(root, [f"{number:05d}" for number in range(50)], seconds=0.02)
    assert "10 of 60 ids have no wav" in error(root)
    write_wavs(root, [f"{number:05d}" for number in range(60)], seconds=0.02)
    (root / "wav/00007.wav").write_text("")
    assert "00007.wav" in error(root)
