#!/usr/bin/env python3
"""Write A-VB-{Type,Two,High,Culture}_<team>_<n>.csv from one or several predictions.jsonl of a set.

There is a file for each task that has a prediction. Several models are averaged: values, or the classes' probabilities,
of which the largest decides; a model of some tasks counts for these. Values are brought into the range of the labels,
which makes no error larger. A recording without prediction (its wav is missing or broken) gets the mean of the others,
or their most frequent class.
"""

import sys

import numpy as np
from submission import in_columns, read_forms

from espnet2_ext.errors import run_cli
from espnet2_ext.inference.average import average, predicted_tasks
from espnet2_ext.inference.submission import (
    Form,
    bring_into_range,
    check_submission,
    number_cells,
    submission_parser,
    write_submission,
)
from espnet2_ext.mtl.task_spec import Task, load_task_spec


def main() -> None:
    """Entry point."""
    arguments = submission_parser(__doc__, "data/tasks.yaml").parse_args()
    spec = load_task_spec(arguments.tasks)
    by_file = {path: predicted_tasks(path, spec) for path in arguments.predictions}
    spec = spec.subset([name for name in spec.names if any(name in names for names in by_file.values())])
    forms = read_forms(arguments.data, spec)
    paths = {name: form.path(arguments.out_dir, arguments.team, arguments.number) for name, form in forms.items()}
    utts, outputs = average(arguments.predictions, spec)
    for task in spec:
        path, form = paths[task.name], forms[task.name]
        rows = cells(outputs[task.name], task, form)
        filled = write_submission(path, form, dict(zip(utts, rows[:-1], strict=True)), rows[-1])
        count = check_submission(path, form)
        if filled:
            print(f"warning: {path}: {filled} recordings without prediction were filled in", file=sys.stderr)
        models = sum(task.name in names for names in by_file.values())
        print(f"{path}: {count} rows, from {models} models")


def cells(outputs: np.ndarray, task: Task, form: Form) -> list[list[str]]:
    """Return the cells after the id of each utterance, and at the end those of a recording without prediction."""
    if task.is_classification:
        classes = outputs.argmax(axis=1)
        return [[task.classes[number]] for number in [*classes, np.bincount(classes).argmax()]]
    values = bring_into_range(outputs[:, in_columns(task, form)], form.columns)
    return [number_cells(row) for row in [*values, values.mean(axis=0)]]


if __name__ == "__main__":
    run_cli(main)
