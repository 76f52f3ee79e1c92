#!/usr/bin/env python3
"""Write ExVo-Multi_<team>_<n>.csv from one or several predictions.jsonl of a set.

Several are averaged: for regression the values, for the country the probabilities, of which the largest decides. A
model of single tasks counts for these; each task needs one model at least. Values are brought into the range of the
labels, which makes no error larger. A recording without prediction (its wav is missing or broken) gets the mean of the
others, and their most frequent country.
"""

import sys

import numpy as np
from submission import read_form

from espnet2_ext.errors import run_cli
from espnet2_ext.inference.average import Outputs, average
from espnet2_ext.inference.submission import (
    Form,
    bring_into_range,
    check_submission,
    number_cells,
    submission_parser,
    write_submission,
)
from espnet2_ext.mtl.task_spec import TaskSpec, load_task_spec


def main() -> None:
    """Entry point."""
    arguments = submission_parser(__doc__, "conf/tasks.yaml").parse_args()
    spec = load_task_spec(arguments.tasks)
    form = read_form(arguments.data, spec)
    path = form.path(arguments.out_dir, arguments.team, arguments.number)
    utts, outputs = average(arguments.predictions, spec)
    rows = cells(outputs, form, spec)
    filled = write_submission(path, form, dict(zip(utts, rows[:-1], strict=True)), rows[-1])
    count = check_submission(path, form)
    if filled:
        print(f"warning: {path}: {filled} recordings without prediction were filled in", file=sys.stderr)
    print(f"{path}: {count} rows, from {len(arguments.predictions)} models")


def cells(outputs: Outputs, form: Form, spec: TaskSpec) -> list[list[str]]:
    """Return the cells after the id of each utterance, and at the end those of a recording without prediction."""
    codes = {name: code for code, name in form.columns[0].choices.items()}
    countries = outputs["country"].argmax(axis=1)
    common = np.bincount(countries).argmax()
    values = np.concatenate([outputs["age"], outputs["emotion"]], axis=1)
    values = bring_into_range(values, form.columns[1:])
    names = [codes[spec["country"].classes[number]] for number in [*countries, common]]
    return [[name, *number_cells(row)] for name, row in zip(names, [*values, values.mean(axis=0)], strict=True)]


if __name__ == "__main__":
    run_cli(main)
