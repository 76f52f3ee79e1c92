"""Label rows of a table's tasks, as label files hold them."""

import math

from espnet2_ext.data.csv_table import CsvTable
from espnet2_ext.data.guess_tasks import class_name, is_missing, number
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_spec import Task


def task_columns(table: CsvTable, task: Task) -> list[int]:
    """Return the places of a task's columns: one for each dimension, or the one called like the classification.

    Raises:
        UserError: A column is missing.
    """
    places = []
    for name in [task.name] if task.is_classification else task.dimensions:
        place = table.find(name)
        if place is None and len(task.dimensions) == 1:
            place = table.find(task.name)
        if place is None:
            columns = ", ".join(table.columns)
            raise UserError(f"{table.path}: no column for {name!r} of task {task.name!r}; the columns are {columns}")
        places.append(place)
    return places


def _value(cell: str, task: Task, delimiter: str, where: str) -> str:
    """Return one regression label as text."""
    if is_missing(cell):
        return "nan"
    try:
        value = number(cell, delimiter)
    except ValueError as error:
        raise UserError(f"{where}: {cell!r} is no number; leave the cell empty for a missing label") from error
    low, high = task.range or (-math.inf, math.inf)
    if not low <= value <= high:
        raise UserError(f"{where}: {cell} is not in [{low:g}, {high:g}], the range of {task.name!r} in tasks.yaml")
    return f"{value:.10g}"


def label(row: tuple[str, ...], places: list[int], task: Task, delimiter: str, where: str) -> str | None:
    """Return the label of a row as its label file holds it; None if it is missing.

    White space in class names becomes `_`.

    Raises:
        UserError: A value is no number or out of range, or the class is unknown.
    """
    if not task.is_classification:
        values = [_value(row[place], task, delimiter, where) for place in places]
        return None if set(values) == {"nan"} else " ".join(values)
    cell = row[places[0]]
    if is_missing(cell):
        return None
    if class_name(cell) not in task.classes:
        raise UserError(f"{where}: {cell!r} is no class of {task.name!r}; tasks.yaml has {', '.join(task.classes)}")
    return class_name(cell)
