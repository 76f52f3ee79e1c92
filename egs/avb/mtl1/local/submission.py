"""The forms of the challenge's submissions: `A-VB-{Type,Two,High,Culture}_<team>_<n>.csv`."""

import csv
import math
from pathlib import Path

from label_tables import letters

from espnet2_ext.data.data_dir import read_rows
from espnet2_ext.errors import UserError
from espnet2_ext.inference.submission import Column, Form, read_ids
from espnet2_ext.mtl.task_spec import Task, TaskSpec


def read_forms(data: Path, spec: TaskSpec) -> dict[str, Form]:
    """Read them from the data directory of the set: by task, the columns of its label file as it spells them.

    Raises:
        UserError: A file is missing, or has no line for a task.
    """
    utts, headers = read_ids(data), read_rows(data / "label_header")
    forms = {}
    for task in spec:
        if task.name not in headers:
            raise UserError(f"{data}/label_header: has no line for {task.name}; run stage 1 with its label file")
        (header,) = csv.reader([headers[task.name]])
        forms[task.name] = Form(f"A-VB-{task.name.capitalize()}", utts, _columns(task, header))
    return forms


def _columns(task: Task, header: list[str]) -> tuple[Column, ...]:
    if task.is_classification:
        return (Column(header[0], choices={name: name for name in task.classes}),)
    return tuple(Column(name, *(task.range or (-math.inf, math.inf))) for name in header)


def in_columns(task: Task, form: Form) -> list[int]:
    """Return the place in a task's outputs of each column of its submission, where columns are numbers."""
    places = {letters(name): place for place, name in enumerate(task.dimensions)}
    return [places[letters(column.name)] for column in form.columns]
