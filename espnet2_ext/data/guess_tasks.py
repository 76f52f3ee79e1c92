"""A first tasks.yaml from the columns of a table."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext.data.csv_table import CsvTable, normalise
from espnet2_ext.data.data_dir import FACT_FILES
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path

# A text column with more distinct values than this, or fewer than two rows for each, is no class label.
_MAX_CLASSES = 100
_HEADER = """\
# Draft made from the columns of {csv}: check it. One task per column; a regression task may also
# have several `dimensions` (then they are one label row and one loss). Numbers that are codes of classes, such as
# 0 1 2 3 for countries, want `type: classification` and `classes: ["0", "1", "2", "3"]`.
# `range` is what the labels span, rounded outwards; set it to the scale's real ends.
"""


def class_name(cell: str) -> str:
    """Return a class's name as label files hold it: white space becomes `_`."""
    return "_".join(cell.split())


def is_missing(cell: str) -> bool:
    """Return whether a cell holds no label: it is empty or `nan`."""
    return cell.casefold() in ("", "nan")


def number(cell: str, delimiter: str) -> float:
    """Parse a number; in tables with semicolons the comma is a decimal point.

    Raises:
        ValueError: It is none, or infinite.
    """
    value = float(cell.replace(",", ".") if delimiter == ";" else cell)
    if math.isinf(value):
        raise ValueError(f"{cell} is infinite")
    return value


def _numbers(cells: Sequence[str], delimiter: str) -> list[float] | None:
    try:
        return [number(cell, delimiter) for cell in cells]
    except ValueError:
        return None


def guess_task(column: str, cells: Sequence[str], delimiter: str) -> dict[str, Any] | str:
    """Return a task for a column as plain data of tasks.yaml, or why there is none."""
    name = normalise(column)
    name = name if name[:1].isascii() and name[:1].isalpha() else f"task_{name}"
    if f"utt2{name}" in FACT_FILES:
        name += "_label"
    name = "".join(c if c.isascii() else "_" for c in name)
    labels = [cell for cell in cells if not is_missing(cell)]
    distinct = sorted({class_name(cell) for cell in labels})
    if len(distinct) < 2:
        return "fewer than two different values"
    values = _numbers(labels, delimiter)
    if values is not None and min(values) < max(values):
        task: dict[str, Any] = {"name": name, "type": "regression", "dimensions": [class_name(column)]}
        if min(values) >= 0 and max(values) <= 1:
            return task | {"range": [0, 1], "activation": "sigmoid"}
        return task | {"range": [math.floor(min(values)), math.ceil(max(values))], "normalise": True}
    if len(distinct) > _MAX_CLASSES or 2 * len(distinct) > len(labels):
        return f"{len(distinct)} different texts in {len(labels)} rows"
    # The column is found again by the task's name, which compares equal to it.
    return {"name": name, "type": "classification", "classes": distinct}


def write_draft(table: CsvTable, used: Sequence[int], path: Path) -> None:
    """Write a draft of tasks.yaml for the columns that are not used otherwise.

    Args:
        table: The table.
        used: Places of the columns that hold no label (file, speaker, split).
        path: The file; it must not exist.

    Raises:
        UserError: The file exists, or no column looks like a label.
    """
    if path.exists():
        raise UserError(f"{path}: exists; remove it for a new draft, or give it by --tasks")
    tasks, skipped = [], []
    for place, column in enumerate(table.columns):
        if place in used:
            continue
        task = guess_task(column, table.column(place), table.delimiter)
        if isinstance(task, str):
            skipped.append(f"# Column {column!r} is left out: {task}.\n")
        else:
            tasks.append(task)
    if not tasks:
        raise UserError(f"{table.path}: no column looks like a label; write {path} yourself")
    draft = yaml.safe_dump({"tasks": tasks}, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        text = _HEADER.format(csv=Path(table.path).name) + "".join(skipped) + draft
        temporary.write_text(text, encoding="utf-8")
