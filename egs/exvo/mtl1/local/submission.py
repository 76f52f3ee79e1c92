"""The challenge's submission: `ExVo-Multi_<team>_<n>.csv`, one row for each recording of Test."""

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet2_ext.data.data_dir import read_rows
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_spec import TaskSpec

FILE_NAME = re.compile(r"ExVo-Multi_(?P<team>[A-Za-z0-9][\w.-]*)_(?P<number>[1-9][0-9]*)\.csv", re.ASCII)


@dataclass(frozen=True)
class Form:
    """What a submission must look like.

    Attributes:
        ids: Ids of the set's recordings, in the order of the file.
        utts: Utterance of each id; `-` for one without a wav.
        codes: Country's number by class name.
        columns: The header.
        ranges: Smallest and largest permitted value by regression column.
    """

    ids: tuple[str, ...]
    utts: dict[str, str]
    codes: dict[str, int]
    columns: tuple[str, ...]
    ranges: dict[str, tuple[float, float]]


def read_form(data: Path, spec: TaskSpec) -> Form:
    """Read it from the data directory of the set.

    Raises:
        UserError: A file is missing or a task is.
    """
    utts = read_rows(data / "file_id2utt")
    codes = {name: int(code) for code, name in read_rows(data / "country_codes").items()}
    missing = [name for name in ("country", "age", "emotion") if name not in spec.names]
    if missing:
        raise UserError(f"a submission needs the tasks country, age and emotion; {missing[0]} is missing")
    regressions = [*spec["age"].dimensions, *spec["emotion"].dimensions]
    bounds = {
        name: spec[task].range or (-math.inf, math.inf) for task in ("age", "emotion") for name in spec[task].dimensions
    }
    return Form(tuple(sorted(utts)), utts, codes, ("File_ID", "Country", *regressions), bounds)


def check_name(path: Path) -> None:
    """Check the file's name.

    Raises:
        UserError: It is not the challenge's.
    """
    if not FILE_NAME.fullmatch(path.name):
        raise UserError(f"{path}: a submission is called ExVo-Multi_<team>_<n>.csv, n from 1; rename it")


def check_submission(path: Path, form: Form) -> int:
    """Check name, header, ids, values and their number; return the number of rows.

    Raises:
        UserError: Something is wrong; the message names the first line with a fault.
    """
    check_name(path)
    header, rows = _read(path)
    if tuple(header) != form.columns:
        raise UserError(f"{path}:1: the columns are {','.join(header)}; they must be {','.join(form.columns)}")
    seen: dict[str, int] = {}
    known = set(form.ids)
    for line, row in enumerate(rows, 2):
        _check_row(f"{path}:{line}", row, form, known, seen)
        seen[row[0]] = line
    lost = [name for name in form.ids if f"[{name}]" not in seen]
    if lost:
        raise UserError(f"{path}: {len(rows)} rows for {len(form.ids)} recordings; [{lost[0]}] is missing")
    return len(rows)


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    return header, rows


def _check_row(where: str, row: Sequence[str], form: Form, known: set[str], seen: dict[str, int]) -> None:
    if len(row) != len(form.columns):
        raise UserError(f"{where}: {len(row)} cells for {len(form.columns)} columns")
    file_id = row[0]
    if not (file_id.startswith("[") and file_id.endswith("]")) or file_id[1:-1] not in known:
        raise UserError(f"{where}: File_ID {file_id!r} is no recording of the set, in brackets such as [{form.ids[0]}]")
    if file_id in seen:
        raise UserError(f"{where}: {file_id} stands in line {seen[file_id]} too")
    if row[1] not in {str(code) for code in form.codes.values()}:
        codes = ", ".join(f"{code} ({name})" for name, code in form.codes.items())
        raise UserError(f"{where}: {file_id}: Country {row[1]!r} is no number of a country: {codes}")
    for column, cell in zip(form.columns[2:], row[2:], strict=True):
        low, high = form.ranges[column]
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise UserError(f"{where}: {file_id}: {column} {cell!r} is no number in [{low:g}, {high:g}]")
