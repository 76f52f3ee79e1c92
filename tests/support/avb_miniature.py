"""A small corpus in the exact layout of A-VB 2022: noise and tones, and the four label files."""

import csv
from pathlib import Path

import numpy as np
from exvo_miniature import EMOTIONS, write_wavs

TYPES = ("Gasp", "Laugh", "Cry", "Scream", "Grunt", "Groan", "Pant", "Other")
CULTURES = ("China", "United States", "South Africa", "Venezuela")
CULTURE_COLUMNS = (
    *(f"{culture}_{emotion}" for culture in CULTURES for emotion in EMOTIONS[:-1]),
    *(f"{culture}_Surprise" for culture in CULTURES),
)
COLUMNS = {"type": ("Voc_Type",), "two": ("Valence", "Arousal"), "high": EMOTIONS, "culture": CULTURE_COLUMNS}
# The header of the organisers' example lacks a blank.
EXAMPLE = {"South Africa_Sadness": "SouthAfrica_Sadness"}
# What `make_corpus` leaves out: the cell (task, id, column), and the wavs.
MISSING_CELL = ("culture", "00001", "South Africa_Sadness")
MISSING_WAVS = ("00003", "00062")
Rows = list[dict[str, str]]
Tables = dict[str, Rows]


def tables(recordings: int = 64) -> Tables:
    """Rows of the four files: half of the recordings in Train, a quarter in Val, a quarter in Test without labels."""
    generator = np.random.default_rng(0)
    found: Tables = {task: [] for task in COLUMNS}
    for number in range(recordings):
        split = ("Train", "Train", "Val", "Test")[4 * number // recordings]
        for task, columns in COLUMNS.items():
            row = {"File_ID": f"[{number:05d}]", "Split": split}
            for column in columns:
                label = TYPES[number % 8] if task == "type" else f"{generator.uniform():.8f}"
                row[column] = "" if split == "Test" else label
            found[task].append(row)
    return found


def with_speakers(found: Tables, clips: int = 4) -> Tables:
    """The files with a column of speakers, that of Test too."""
    return {
        task: [row | {"Subject_ID": f"Speaker_{int(row['File_ID'].strip('[]')) // clips}"} for row in rows]
        for task, rows in found.items()
    }


def changed(task: str, number: int, **cells: str) -> Tables:
    """The files with other cells in a row."""
    found = tables()
    found[task][number] |= cells
    return found


def write_labels(
    root: Path, found: Tables, quoting: int = csv.QUOTE_MINIMAL, spelling: dict[str, str] | None = None
) -> None:
    """Write labels/<task>_info.csv of each task in `found`, with columns called as `spelling` says."""
    folder = root / "labels"
    folder.mkdir(parents=True, exist_ok=True)
    for task, rows in found.items():
        with (folder / f"{task}_info.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=quoting, lineterminator="\n")
            writer.writerow([(spelling or {}).get(column, column) for column in rows[0]])
            writer.writerows(row.values() for row in rows)


def make_corpus(root: Path, spelling: dict[str, str] | None = None) -> Tables:
    """Make the whole corpus: 64 recordings, one cell and two wavs of which are missing."""
    found = tables()
    task, file_id, column = MISSING_CELL
    found[task][int(file_id)][column] = ""
    write_labels(root, found, spelling=spelling)
    ids = [row["File_ID"].strip("[]") for row in found["type"]]
    write_wavs(root / "audio", [name for name in ids if name not in MISSING_WAVS])
    return found
