#!/usr/bin/env python3
"""Write ExVo-Multi_<team>_<n>.csv from one or several predictions.jsonl of a set.

Several are averaged: for regression the values, for the country the probabilities, of which the largest decides. A
model of single tasks counts for these; each task needs one model at least. Values are brought into the range of the
labels, which makes no error larger. A recording without prediction (its wav is missing or broken) gets the mean of the
others, and their most frequent country.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from submission import FILE_NAME, Form, check_submission, read_form

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.inference.records import read_records
from espnet2_ext.mtl.task_spec import TaskSpec, load_task_spec

Outputs = dict[str, np.ndarray]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", nargs="+", type=Path, required=True, help="predictions.jsonl of one set")
    parser.add_argument("--data", type=Path, default=Path("data/test"), help="data directory of the set (stage 1)")
    parser.add_argument("--tasks", type=Path, default=Path("conf/tasks.yaml"), help="tasks.yaml")
    parser.add_argument("--out_dir", type=Path, required=True, help="where the file goes")
    parser.add_argument("--team", default="team", help="letters, digits, . _ -")
    parser.add_argument("--number", type=int, default=1, help="number of the submission, from 1")
    arguments = parser.parse_args()
    path = arguments.out_dir / f"ExVo-Multi_{arguments.team}_{arguments.number}.csv"
    if not FILE_NAME.fullmatch(path.name):
        raise UserError(f"--team {arguments.team} --number {arguments.number}: letters, digits, . _ -, and from 1")
    spec = load_task_spec(arguments.tasks)
    form = read_form(arguments.data, spec)
    utts, outputs = average(arguments.predictions, spec)
    filled = write_submission(path, form, spec, utts, outputs)
    rows = check_submission(path, form)
    if filled:
        print(f"warning: {path}: {filled} recordings without prediction were filled in", file=sys.stderr)
    print(f"{path}: {rows} rows, from {len(arguments.predictions)} models")


def average(paths: Sequence[Path], spec: TaskSpec) -> tuple[list[str], Outputs]:
    """Average the predictions of several models.

    Returns:
        N utterances, sorted, and by task (N, n_outputs) float64: values in the task's unit, or class probabilities.

    Raises:
        UserError: A file is bad, a task has no model, or the files are of different utterances.
    """
    sums: Outputs = {}
    counts = dict.fromkeys(spec.names, 0)
    first: list[str] = []
    for path in paths:
        own = spec.subset(predicted_tasks(path, spec))
        utts, outputs = read_records(path, own)
        order = np.array(sorted(range(len(utts)), key=utts.__getitem__))
        utts = sorted(utts)
        if first and utts != first:
            raise UserError(f"{path}: predicts other utterances than {paths[0]}; give predictions of one set")
        first = utts
        for name in own.names:
            counts[name] += 1
            sums[name] = sums.get(name, 0.0) + outputs[name][order].astype(np.float64)
    missing = [name for name, count in counts.items() if not count]
    if missing:
        raise UserError(f"{', '.join(map(str, paths))}: no prediction of {missing[0]}; add a model that has this task")
    return first, {name: total / counts[name] for name, total in sums.items()}


def predicted_tasks(path: Path, spec: TaskSpec) -> list[str]:
    """Return which tasks a file has predictions of, from its first line; a bad file is left to read_records."""
    try:
        with open(path, encoding="utf-8") as file:
            record = json.loads(file.readline())
    except (OSError, ValueError):
        return list(spec.names)
    return [name for name in spec.names if isinstance(record, dict) and name in record] or list(spec.names)


def write_submission(path: Path, form: Form, spec: TaskSpec, utts: Sequence[str], outputs: Outputs) -> int:
    """Write the file, complete or not at all; return how many recordings had to be filled in."""
    places = {utt: i for i, utt in enumerate(utts)}
    strange = set(utts) - set(form.utts.values())
    if strange:
        raise UserError(f"{min(strange)}: predicted, but not of this set; give the data directory that was predicted")
    codes = np.array([form.codes[name] for name in spec["country"].classes])
    country = codes[outputs["country"].argmax(axis=1)]
    values = np.concatenate([outputs["age"], outputs["emotion"]], axis=1)
    low, high = np.array([form.ranges[column] for column in form.columns[2:]]).T
    values = np.clip(values, low, high)
    common = int(np.bincount(country).argmax())
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(form.columns)
        for file_id in form.ids:
            place = places.get(form.utts[file_id])
            row = values.mean(axis=0) if place is None else values[place]
            code = common if place is None else int(country[place])
            table.writerow([f"[{file_id}]", code, *(f"{value:.6f}" for value in row)])
    return sum(form.utts[file_id] not in places for file_id in form.ids)


if __name__ == "__main__":
    run_cli(main)
