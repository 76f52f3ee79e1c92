"""Submissions to a challenge: `<name>_<team>_<n>.csv`, one row for each recording of the blind set."""

import argparse
import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from espnet2_ext.data.data_dir import read_rows
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path

_ID_COLUMN = "File_ID"


@dataclass(frozen=True)
class Column:
    """A column beside the id.

    Attributes:
        name: Its header.
        low: Smallest permitted number.
        high: Largest permitted number.
        choices: Permitted cells, and what each stands for; with any, the column holds no numbers.
    """

    name: str
    low: float = -math.inf
    high: float = math.inf
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """What a submission must look like.

    Attributes:
        name: What its file's name begins with.
        utts: Utterance of each id of the set; `-` for one without a wav.
        columns: The columns after File_ID.
    """

    name: str
    utts: Mapping[str, str]
    columns: tuple[Column, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the set's recordings, in the order of the file."""
        return tuple(sorted(self.utts))

    @property
    def header(self) -> tuple[str, ...]:
        """Names of all columns."""
        return (_ID_COLUMN, *(column.name for column in self.columns))

    def path(self, folder: Path, team: str, number: int) -> Path:
        """Return the file of a submission.

        Raises:
            UserError: Team or number cannot stand in a file's name.
        """
        path = folder / f"{self.name}_{team}_{number}.csv"
        if not self.fits(path):
            raise UserError(f"--team {team} --number {number}: letters, digits, . _ -, and from 1")
        return path

    def fits(self, path: Path) -> bool:
        """Whether a file is called as this submission must be."""
        pattern = rf"{re.escape(self.name)}_[A-Za-z0-9][\w.-]*_[1-9][0-9]*\.csv"
        return re.fullmatch(pattern, path.name, re.ASCII) is not None


def submission_parser(description: str | None, tasks: str) -> argparse.ArgumentParser:
    """Return the command line of a script that writes submissions; `tasks` is where the recipe's tasks stand."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", nargs="+", type=Path, required=True, help="predictions.jsonl of one set")
    parser.add_argument("--data", type=Path, default=Path("data/test"), help="data directory of the set (stage 1)")
    parser.add_argument("--tasks", type=Path, default=Path(tasks), help="tasks.yaml")
    parser.add_argument("--out_dir", type=Path, required=True, help="where what is written goes")
    parser.add_argument("--team", default="team", help="letters, digits, . _ -")
    parser.add_argument("--number", type=int, default=1, help="number of the submission, from 1")
    return parser


def read_ids(data: Path) -> dict[str, str]:
    """Return the utterance of each id of a set, from its data directory.

    Raises:
        UserError: The directory was not made from a released table.
    """
    return read_rows(data / "file_id2utt")


def bring_into_range(values: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """Clip (N, D) values to the columns' ranges, which makes no error larger."""
    return np.clip(values, [column.low for column in columns], [column.high for column in columns])


def number_cells(values: np.ndarray) -> list[str]:
    """Return a row of (D,) values as cells."""
    return [f"{value:.6f}" for value in values]


def write_submission(path: Path, form: Form, rows: Mapping[str, Sequence[str]], fill: Sequence[str]) -> int:
    """Write the file, complete or not at all.

    Args:
        path: The file.
        form: Its form.
        rows: By utterance, the cells after the id.
        fill: The cells of a recording without a prediction (its wav is missing or broken).

    Returns:
        How many recordings had to be filled in.

    Raises:
        UserError: A row is of another set.
    """
    strange = set(rows) - set(form.utts.values())
    if strange:
        raise UserError(f"{min(strange)}: predicted, but not of this set; give the data directory that was predicted")
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(form.header)
        for file_id in form.ids:
            table.writerow([f"[{file_id}]", *rows.get(form.utts[file_id], fill)])
    return sum(utt not in rows for utt in form.utts.values())


def check_submission(path: Path, form: Form) -> int:
    """Check name, header, ids, values and their number; return the number of rows.

    Blanks in names of columns are no matter.

    Raises:
        UserError: Something is wrong; the message names the first line with a fault.
    """
    if not form.fits(path):
        raise UserError(f"{path}: a submission is called {form.name}_<team>_<n>.csv, n from 1; rename it")
    header, rows = _read(path)
    if ["".join(name.split()) for name in header] != ["".join(name.split()) for name in form.header]:
        raise UserError(f"{path}:1: the columns are {','.join(header)}; they must be {','.join(form.header)}")
    seen: dict[str, int] = {}
    for line, row in enumerate(rows, 2):
        _check_row(f"{path}:{line}", row, form, seen)
        seen[row[0]] = line
    lost = [name for name in form.ids if f"[{name}]" not in seen]
    if lost:
        raise UserError(f"{path}: {len(rows)} rows for {len(form.utts)} recordings; [{lost[0]}] is missing")
    return len(rows)


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    return header, rows


def _check_row(where: str, row: Sequence[str], form: Form, seen: Mapping[str, int]) -> None:
    if len(row) != len(form.columns) + 1:
        raise UserError(f"{where}: {len(row)} cells for {len(form.columns) + 1} columns")
    file_id = row[0]
    if not (file_id.startswith("[") and file_id.endswith("]")) or file_id[1:-1] not in form.utts:
        raise UserError(f"{where}: File_ID {file_id!r} is no recording of the set, in brackets such as [{form.ids[0]}]")
    if file_id in seen:
        raise UserError(f"{where}: {file_id} stands in line {seen[file_id]} too")
    for column, cell in zip(form.columns, row[1:], strict=True):
        _check_cell(f"{where}: {file_id}", column, cell)


def _check_cell(where: str, column: Column, cell: str) -> None:
    if column.choices:
        if cell not in column.choices:
            known = ", ".join(
                key if key == meaning else f"{key} ({meaning})" for key, meaning in column.choices.items()
            )
            raise UserError(f"{where}: {column.name} {cell!r} is none of {known}")
        return
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not column.low <= value <= column.high:
        raise UserError(f"{where}: {column.name} {cell!r} is no number in [{column.low:g}, {column.high:g}]")
