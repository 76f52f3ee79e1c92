"""A small corpus in the exact layout of ExVo 2022: noise and tones whose labels follow from the sound."""

import csv
import math
import wave
from pathlib import Path

import numpy as np

EMOTIONS = (
    "Awe", "Excitement", "Amusement", "Awkwardness", "Fear", "Horror", "Distress", "Triumph", "Sadness", "Surprise",
)  # fmt: skip
COLUMNS = ("File_ID", "Split", "Subject_ID", "Country", "Country_string", "Age", *EMOTIONS)
COUNTRIES = ("China", "United States", "South Africa", "Venezuela")
RATE = 16000
Rows = list[dict[str, str]]


def rows(speakers: int = 12, clips: int = 5) -> Rows:
    """Rows of the table: the first half of the speakers in Train, then Val, then Test, which has no labels."""
    generator = np.random.default_rng(0)
    table = []
    for number in range(speakers * clips):
        speaker = number // clips
        split = ("Train", "Train", "Val", "Test")[4 * speaker // speakers]
        row = {"File_ID": f"[{number:05d}]", "Split": split, "Subject_ID": f"Speaker_{speaker}"}
        country = speaker % 4
        row |= {"Country": str(country), "Country_string": COUNTRIES[country], "Age": f"{20 + 1.5 * speaker:.1f}"}
        row |= {emotion: f"{generator.uniform():.3f}" for emotion in EMOTIONS}
        if split == "Test":
            row |= dict.fromkeys(COLUMNS[2:], "")
        table.append(row)
    return table


def write_table(root: Path, table: Rows, columns: tuple[str, ...] = COLUMNS, quoting: int = csv.QUOTE_MINIMAL) -> Path:
    """Write data_info.csv; cells of a column that a row lacks are empty."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / "data_info.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore", quoting=quoting, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return path


def write_wavs(root: Path, ids: list[str], seconds: float = 0.4, suffix: str = ".wav") -> None:
    """Write a wav for each id: a tone that rises with the id's number, in noise."""
    folder = root / "wav"
    folder.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * RATE)) / RATE
    for number, name in enumerate(ids):
        noise = np.random.default_rng(number).normal(0, 0.05, len(time))
        tone = 0.3 * np.sin(2 * math.pi * (200 + 40 * number) * time)
        with wave.open(str(folder / f"{name}{suffix}"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(np.round((tone + noise).clip(-1, 1) * 32767).astype("<i2").tobytes())


def write_functionals(root: Path, name: str, count: int, ids: list[str]) -> None:
    """Write `feats/<name>/<id>.csv` as the organisers' are: a header, and the file's name before the functionals."""
    folder = root / "feats" / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, file_id in enumerate(ids):
        values = np.random.default_rng(number).normal(size=count)
        head = ",".join(["file", *(f"f{i}" for i in range(count))])
        row = ",".join([f"{file_id}.wav", *(f"{value:.5f}" for value in values)])
        (folder / f"{file_id}.csv").write_text(f"{head}\n{row}\n", encoding="utf-8")


def make_corpus(root: Path) -> Rows:
    """Make the whole corpus: 60 recordings of 12 speakers from four countries, with the organisers' eGeMAPS."""
    table = rows()
    ids = [row["File_ID"].strip("[]") for row in table]
    write_table(root, table)
    write_wavs(root, ids)
    write_functionals(root, "eGeMAPS", 88, ids)
    return table
