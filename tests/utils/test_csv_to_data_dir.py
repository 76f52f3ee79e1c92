"""utils/csv_to_data_dir.py: a table as a spreadsheet writes it becomes valid data directories."""

from pathlib import Path

import pytest
import yaml
from test_validate_data_dir import kaldi_accepts
from tool_support import Result, Tool, error_line, rows_of, write_wav

TASKS = """\
tasks:
  - {name: emotion, type: regression, dimensions: [Awe, Fear], range: [0, 1], activation: sigmoid}
  - {name: age, type: regression, dimensions: [years], normalise: true}
  - {name: country, type: classification, classes: [China, South_Africa]}
"""
HEADER = "File_ID,Split,Subject_ID,Country,Age,Fear,Awe"
ROWS = [
    "[00001],Train,Subj 2,South Africa,20.5,0.25,1",
    "[00002],Train,Subj-1,China,,nan,0.5",
    "[00003],Val,Subj 3,,31,0.125,0",
    "[00004],Test,Subj 4,,,,",
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Wavs in folders, one with a capital extension, and the tasks."""
    for number, name in enumerate(("x/00001.wav", "x/00002.WAV", "y/z/00003.wav", "00004.wav"), 1):
        write_wav(tmp_path / "wavs" / name, number / 4)
    (tmp_path / "tasks.yaml").write_text(TASKS)
    return tmp_path


def convert(
    tool: Tool,
    corpus: Path,
    rows: list[str] | None = None,
    *options: str,
    header: str = HEADER,
    raw: bytes | None = None,
) -> Result:
    text = "\n".join([header, *(ROWS if rows is None else rows)]) + "\n"
    (corpus / "labels.csv").write_bytes(text.encode() if raw is None else raw)
    arguments = ["--csv", "labels.csv", "--wav-dir", "wavs", "--out", "data", *options]
    if "--tasks" not in options:
        arguments += ["--tasks", "tasks.yaml"]
    return tool("csv_to_data_dir.py", *arguments)


def check_corpus(corpus: Path) -> None:
    """The four rows above as data directories."""
    data = corpus / "data"
    assert sorted(path.name for path in data.iterdir()) == ["dev", "test", "train"]
    assert rows_of(data / "train/utt2spk") == {"Subj_1-00002": "Subj_1", "Subj_2-00001": "Subj_2"}
    assert rows_of(data / "train/utt2emotion") == {"Subj_1-00002": "0.5 nan", "Subj_2-00001": "1 0.25"}
    assert rows_of(data / "train/utt2age") == {"Subj_2-00001": "20.5"}
    assert rows_of(data / "train/utt2country") == {"Subj_1-00002": "China", "Subj_2-00001": "South_Africa"}
    assert rows_of(data / "train/utt2dur") == {"Subj_1-00002": "0.5", "Subj_2-00001": "0.25"}
    assert rows_of(data / "train/wav.scp")["Subj_1-00002"] == str(corpus / "wavs/x/00002.WAV")
    assert rows_of(data / "dev/utt2emotion") == {"Subj_3-00003": "0 0.125"}
    # A set without labels, such as a blind test set, has no label files.
    assert {path.name for path in (data / "test").iterdir()} == {"utt2spk", "spk2utt", "utt2dur", "wav.scp"}
    for name in ("train", "dev", "test"):
        assert kaldi_accepts(data / name)


TASKS_BY_COLUMN = TASKS.replace("[years]", "[Age]")


def test_table_becomes_data_directories(tool: Tool, corpus: Path) -> None:
    (corpus / "tasks.yaml").write_text(TASKS_BY_COLUMN)
    result = convert(tool, corpus)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"data/{n}: {k} utterances" for n, k in (("dev", 1), ("test", 1), ("train", 2))
    ]
    check_corpus(corpus)
    for name in ("train", "dev", "test"):
        result = tool("validate_data_dir.sh", "--no-feats", "--tasks", "tasks.yaml", f"data/{name}")
        assert result.returncode == 0, result.stderr


def test_column_of_a_single_dimension_may_be_called_like_the_task(tool: Tool, corpus: Path) -> None:
    assert convert(tool, corpus).returncode == 0
    check_corpus(corpus)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_byte_order_mark_quotes_and_windows_ends(tool: Tool, corpus: Path, delimiter: str) -> None:
    lines = [HEADER.replace(",", delimiter)]
    for row in ROWS:
        cells = row.split(",")
        if delimiter == ";":
            cells = [cell.replace(".", ",") for cell in cells]
        lines.append(delimiter.join(f'"{cell}"' for cell in cells))
    result = convert(tool, corpus, raw=b"\xef\xbb\xbf" + ("\r\n".join(lines) + "\r\n\r\n").encode())
    assert result.returncode == 0, result.stderr
    check_corpus(corpus)


def test_columns_may_be_named(tool: Tool, corpus: Path) -> None:
    header = "clip,part,who,Country,Age,Fear,Awe"
    options = ["--file-column", "clip", "--speaker-column", "who", "--split-column", "part"]
    assert convert(tool, corpus, None, *options, header=header).returncode == 0
    check_corpus(corpus)
    line = error_line(convert(tool, corpus, header=header))
    columns = header.replace(",", ", ")
    assert line == f"error: labels.csv: which column is the file? give --file-column, one of {columns}"
    line = error_line(convert(tool, corpus, None, "--file-column", "x", header=header))
    assert line == f"error: labels.csv: --file-column x: no such column; there are {columns}"


def test_produced_directory_loads_in_lhotse(tool: Tool, corpus: Path) -> None:
    lhotse = pytest.importorskip("lhotse.kaldi")
    assert convert(tool, corpus).returncode == 0
    recordings, _, _ = lhotse.load_kaldi_data_dir(corpus / "data/train", sampling_rate=16000)
    assert {r.id: r.duration for r in recordings} == {"Subj_1-00002": 0.5, "Subj_2-00001": 0.25}


def many(corpus: Path, n_speakers: int = 10) -> list[str]:
    """Three files of each speaker, in folders of the same file names."""
    rows = []
    for speaker in range(n_speakers):
        for take in range(3):
            write_wav(corpus / f"wavs/p{speaker}/take{take}.wav", 0.1)
            country = "China" if speaker % 2 else "South Africa"
            rows.append(f"p{speaker}/take{take}.wav,p{speaker},{country},{20 + speaker},{speaker / 10},{take / 2}")
    return rows


def test_without_a_split_column_speakers_are_divided(tool: Tool, corpus: Path) -> None:
    rows = many(corpus)
    header = HEADER.replace("Split,", "")
    assert convert(tool, corpus, rows, "--seed", "1", header=header).returncode == 0
    sets = {name: rows_of(corpus / f"data/{name}/utt2spk") for name in ("train", "dev", "test")}
    assert [len(rows) for rows in sets.values()] == [24, 3, 3]
    assert len(set.union(*(set(rows.values()) for rows in sets.values()))) == 10
    assert all(kaldi_accepts(corpus / "data" / name) for name in sets)
    # The order of the rows plays no part.
    assert convert(tool, corpus, rows[::-1], "--seed", "1", header=header).returncode == 0
    assert {name: rows_of(corpus / f"data/{name}/utt2spk") for name in sets} == sets


def test_same_file_names_in_several_folders(tool: Tool, corpus: Path) -> None:
    for folder in "ab":
        write_wav(corpus / f"wavs/{folder}/take.wav", 0.1)
    rows = ["a/take,Train,p,China,20,0,0", "b/take.wav,Train,p,China,20,0,0"]
    assert convert(tool, corpus, rows).returncode == 0
    assert list(rows_of(corpus / "data/train/utt2spk")) == ["p-a_take", "p-b_take"]


def test_guess_writes_a_draft_that_works(tool: Tool, corpus: Path) -> None:
    header = HEADER.replace("Split,", "") + ",comment,code"
    rows = [f"{row},text {i},7" for i, row in enumerate(many(corpus))]
    result = convert(tool, corpus, rows, "--guess", "--tasks", "conf/tasks.yaml", header=header)
    assert result.returncode == 0, result.stderr
    draft = (corpus / "conf/tasks.yaml").read_text()
    assert yaml.safe_load(draft)["tasks"] == [
        {"name": "country", "type": "classification", "classes": ["China", "South_Africa"]},
        {"name": "age", "type": "regression", "dimensions": ["Age"], "range": [20, 29], "normalise": True},
        {"name": "fear", "type": "regression", "dimensions": ["Fear"], "range": [0, 1], "activation": "sigmoid"},
        {"name": "awe", "type": "regression", "dimensions": ["Awe"], "range": [0, 1], "activation": "sigmoid"},
    ]
    assert "# Column 'comment' is left out: 30 different texts in 30 rows.\n" in draft
    assert "# Column 'code' is left out: fewer than two different values.\n" in draft
    assert tool("validate_data_dir.sh", "--no-feats", "--tasks", "conf/tasks.yaml", "data/train").returncode == 0
    line = error_line(convert(tool, corpus, rows, "--guess", "--tasks", "conf/tasks.yaml", header=header))
    assert line == "error: conf/tasks.yaml: exists; remove it for a new draft, or give it by --tasks"


def test_unusual_split_is_a_set_of_its_own_and_a_warning(tool: Tool, corpus: Path) -> None:
    rows = [ROWS[0], ROWS[2].replace("Val", "Tset")]
    assert rows[1] != ROWS[2]
    result = convert(tool, corpus, rows)
    assert result.returncode == 0
    assert result.stderr == (
        "warning: labels.csv:3: split 'Tset' is none of train, dev, test; its rows become a set of that name, which is "
        "used only where an option of ./run.sh names it\n"
    )
    assert (corpus / "data/Tset").is_dir()


def test_too_few_speakers_for_a_split(tool: Tool, corpus: Path) -> None:
    rows = many(corpus, 2)
    line = error_line(convert(tool, corpus, rows, header=HEADER.replace("Split,", "")))
    assert line == "error: labels.csv: too few speakers for 3 sets that share none: 2; add a column 'split'"


def test_file_cell_without_a_name(tool: Tool, corpus: Path) -> None:
    result = convert(tool, corpus, [ROWS[0], ROWS[1].replace(ROWS[1].split(",")[0], "")])
    assert result.returncode == 1
    assert result.stderr.startswith("error: labels.csv:3: the file is missing in column 'File_ID'; fill it in\n")


def test_speaker_in_two_sets_is_a_warning(tool: Tool, corpus: Path) -> None:
    rows = [ROWS[0], ROWS[2].replace("Subj 3", "Subj 2")]
    result = convert(tool, corpus, rows)
    assert result.returncode == 0
    assert result.stderr == "warning: speaker Subj_2 is in dev and train\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("[00001],Train,Subj 2,West,20,0,0", "labels.csv:3: 'West' is no class of 'country'; tasks.yaml has China, "),
        ("[00001],Train,Subj 2,China,old,0,0", "labels.csv:3: 'old' is no number; leave the cell empty"),
        ("[00001],Train,Subj 2,China,inf,0,0", "labels.csv:3: 'inf' is no number; leave the cell empty"),
        ("[00001],Train,Subj 2,China,20,2,0", "labels.csv:3: 2 is not in [0, 1], the range of 'emotion' in tasks.yaml"),
        ("[00001],Train,Subj 2,China,20,0", "labels.csv:3: 6 cells for 7 columns; quote cells with delimiters"),
        ("[00001],Train,,China,20,0,0", "labels.csv:3: the speaker is missing in column 'Subject_ID'; fill it in"),
        ("[00001],,Subj 2,China,20,0,0", "labels.csv:3: the split is missing in column 'Split'; fill it in"),
        ("00002,Train,Subj-1,China,20,0,0", "labels.csv:3: Subj_1-x_00002: is in line 2 too; delete one of the rows"),
        ("[00001],Train,Subj_1,China,20,0,0", "labels.csv:3: speakers 'Subj-1' and 'Subj_1' both become 'Subj_1';"),
        ('"[00001],Train,Subj 2,China,20,0,0', "labels.csv:3: unexpected end of data; check the quotes"),
    ],
)
def test_bad_row(tool: Tool, corpus: Path, row: str, message: str) -> None:
    assert error_line(convert(tool, corpus, [ROWS[1], row])).startswith(f"error: {message}")
    assert not (corpus / "data").exists()


def test_every_bad_file_gets_a_line(tool: Tool, corpus: Path) -> None:
    write_wav(corpus / "wavs/y/00001.wav", 0.1)
    rows = [ROWS[0], ROWS[1], ROWS[2].replace("00003", "99999")]
    result = convert(tool, corpus, rows)
    assert result.returncode == 1
    first, second, last = result.stderr.splitlines()
    wavs = corpus / "wavs"
    assert first == (
        f"error: labels.csv:2: '[00001]': fits 2 files (x/00001.wav, y/00001.wav); write the path below {wavs}"
    )
    assert second == f"error: labels.csv:4: '[99999]': no such .wav or .flac file below {wavs}"
    assert last == "error: labels.csv: 2 of 3 rows cannot be used; mend or delete them"
    assert not (corpus / "data").exists()


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not audio at all"])
def test_unreadable_wav(tool: Tool, corpus: Path, content: bytes) -> None:
    (corpus / "wavs/00004.wav").write_bytes(content)
    result = convert(tool, corpus)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: labels.csv:5: {corpus}/wavs/00004.wav: no readable audio (")
    assert not (corpus / "data").exists()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "labels.csv: the file is empty"),
        (HEADER.encode(), "labels.csv: has a header and no rows"),
        (b"file,speaker,awe,awe\n1,2,3,4\n", "labels.csv: column 'awe' stands twice; rename one"),
        (b"file,speaker\xe9\n1,2\n", "labels.csv: not UTF-8 (byte 12); save it as UTF-8"),
        (
            b"file,speaker,Awe\n00001,p,0\n",
            "labels.csv: no column for 'Fear' of task 'emotion'; the columns are file, ",
        ),
        (b"file,speaker,A we,A_we\n1,p,0,0\n", "labels.csv: columns A we, A_we all fit 'a-we'; rename all but one"),
    ],
)
def test_bad_table(tool: Tool, corpus: Path, raw: bytes, message: str) -> None:
    options = ["--split-column", "a-we"] if b"A we" in raw else []
    assert error_line(convert(tool, corpus, None, *options, raw=raw)).startswith(f"error: {message}")


def test_task_without_any_label(tool: Tool, corpus: Path) -> None:
    line = error_line(convert(tool, corpus, [ROWS[3]]))
    assert line == "error: labels.csv: task 'emotion' has no label at all; fill its column or drop the task"


def test_folder_of_wavs(tool: Tool, corpus: Path) -> None:
    arguments = ["--csv", "labels.csv", "--out", "data", "--tasks", "tasks.yaml"]
    (corpus / "labels.csv").write_text("\n".join([HEADER, *ROWS]))
    (corpus / "empty").mkdir()
    line = error_line(tool("csv_to_data_dir.py", *arguments, "--wav-dir", "no"))
    assert line == "error: no: no such directory; give the folder of the audio files"
    line = error_line(tool("csv_to_data_dir.py", *arguments, "--wav-dir", "empty"))
    assert line == "error: empty: holds no .wav or .flac file"


def test_linked_folders_are_followed_once(tool: Tool, corpus: Path) -> None:
    (corpus / "elsewhere").mkdir()
    (corpus / "wavs/x").rename(corpus / "elsewhere/x")
    (corpus / "wavs/x").symlink_to(corpus / "elsewhere/x")
    (corpus / "wavs/loop").symlink_to(corpus / "wavs")
    result = convert(tool, corpus)
    assert result.returncode == 0, result.stderr
    check_corpus(corpus)
