"""Label files `utt2<task>`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.table import read_table
from espnet2_ext.mtl.task_spec import Task

MISSING_CLASS = -1
# What is finite in a file and infinite as float32 is no label either.
_LARGEST = float(np.finfo(np.float32).max)


def read_labels(path: str | Path, task: Task, utts: Sequence[str]) -> np.ndarray:
    """Read a task's labels for some utterances, in their order.

    A missing file or line, `nan` in one dimension, or the class name `nan` is a missing label.

    Returns:
        Regression: (N, D) float32 in the task's unit, NaN where missing. Classification: (N,) int64 class numbers, -1
        where missing.

    Raises:
        UserError: A class is unknown, a value is not a number or out of range, or their count is wrong.
    """
    rows = read_table(path) if Path(path).exists() else {}
    if task.is_classification:
        return _read_classes(path, task, rows, utts)
    values = np.full((len(utts), task.n_targets), np.nan, dtype=np.float64)
    for i, utt in enumerate(utts):
        if utt in rows:
            values[i] = _parse_values(rows[utt], task, f"{path}: {utt}")
    return values.astype(np.float32)


def read_all_labels(directory: str | Path, tasks: Sequence[Task], utts: Sequence[str]) -> dict[str, np.ndarray]:
    """Read the labels of all tasks from a data directory; see `read_labels`."""
    return {task.name: read_labels(Path(directory) / f"utt2{task.name}", task, utts) for task in tasks}


def _read_classes(path: str | Path, task: Task, rows: dict[str, str], utts: Sequence[str]) -> np.ndarray:
    numbers = {name: number for number, name in enumerate(task.classes)}
    classes = np.full(len(utts), MISSING_CLASS, dtype=np.int64)
    for i, utt in enumerate(utts):
        name = rows.get(utt, "nan").strip()
        if name == "nan":
            continue
        if name not in numbers:
            raise UserError(f"{path}: {utt}: class {name!r} is not one of {', '.join(task.classes)} (tasks.yaml)")
        classes[i] = numbers[name]
    return classes


def _parse_values(text: str, task: Task, where: str) -> list[float]:
    fields = text.split()
    if len(fields) != task.n_targets:
        raise UserError(f"{where}: {len(fields)} values for {task.n_targets} dimensions of {task.name!r} (tasks.yaml)")
    try:
        values = [float(field) for field in fields]
    except ValueError as error:
        raise UserError(f"{where}: {text!r} is not a row of numbers or nan") from error
    low, high = task.range or (-np.inf, np.inf)
    for value in values:
        if abs(value) > _LARGEST or not (np.isnan(value) or low <= value <= high):
            raise UserError(
                f"{where}: {value:g} is not in [{low:g}, {high:g}], the range of {task.name!r} (tasks.yaml)"
            )
    return values
