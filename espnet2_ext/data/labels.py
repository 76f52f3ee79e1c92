"""Label files `utt2<task>`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.table import read_table
from espnet2_ext.mtl.task_spec import Task

MISSING_CLASS = -1
# Shares are written with a few digits.
_SUM_TOLERANCE = 1e-3
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


def read_soft_labels(path: str | Path, task: Task, utts: Sequence[str]) -> np.ndarray:
    """Read soft labels of a classification, such as the shares of annotators' votes: `<utt> p1 ... pC`.

    Args:
        path: Label file with one number for each class, in the order of tasks.yaml.
        task: The classification.
        utts: Utterances, in the wanted order.

    Returns:
        (N, C) float32 probabilities of the classes, each labelled row of sum 1; NaN rows where the line is missing or
        holds `nan`.

    Raises:
        UserError: The file is missing, or a row is no row of C probabilities.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; soft labels of {task.name!r} need it: leave them out, or write it")
    rows = read_table(path)
    values = np.full((len(utts), len(task.classes)), np.nan, dtype=np.float64)
    for i, utt in enumerate(utts):
        if utt in rows:
            values[i] = _parse_probabilities(rows[utt], task, f"{path}: {utt}")
    return values.astype(np.float32)


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


def _parse_probabilities(text: str, task: Task, where: str) -> np.ndarray:
    fields = text.split()
    try:
        row = np.array([float(field) for field in fields])
    except ValueError as error:
        raise UserError(f"{where}: {text!r} is not a row of numbers or nan") from error
    if len(row) != len(task.classes):
        raise UserError(f"{where}: {len(row)} values for {len(task.classes)} classes of {task.name!r} (tasks.yaml)")
    if np.isnan(row).any():
        return np.full(len(row), np.nan)
    if not (row >= 0).all() or not abs(row.sum() - 1) < _SUM_TOLERANCE:
        raise UserError(f"{where}: {text!r} are no probabilities of classes: none below 0, of sum 1")
    return row / row.sum()


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
