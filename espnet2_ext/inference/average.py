"""Averages of several models' predictions."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.inference.records import read_records
from espnet2_ext.mtl.task_spec import TaskSpec

Outputs = dict[str, np.ndarray]


def average(paths: Sequence[Path], spec: TaskSpec) -> tuple[list[str], Outputs]:
    """Average the predictions of several models: values of regressions, probabilities of classes.

    A model of some tasks counts for these; each task needs one model at least.

    Returns:
        N utterances, sorted, and by task (N, n_outputs) float64: values in the task's unit, or class probabilities.

    Raises:
        UserError: A file is bad, a task has no model, or the files are of different utterances.
    """
    sums: Outputs = {}
    counts = dict.fromkeys(spec.names, 0)
    first: list[str] = []
    for path in paths:
        own = predicted_tasks(path, spec)
        utts, outputs = read_records(path, spec.subset(own))
        order = np.array(sorted(range(len(utts)), key=utts.__getitem__))
        utts = sorted(utts)
        if first and utts != first:
            raise UserError(f"{path}: predicts other utterances than {paths[0]}; give predictions of one set")
        first = utts
        for name in own:
            counts[name] += 1
            sums[name] = sums.get(name, 0.0) + outputs[name][order].astype(np.float64)
    missing = [name for name, count in counts.items() if not count]
    if missing:
        raise UserError(f"{', '.join(map(str, paths))}: no prediction of {missing[0]}; add a model that has this task")
    return first, {name: total / counts[name] for name, total in sums.items()}


def predicted_tasks(path: Path, spec: TaskSpec) -> list[str]:
    """Return which tasks a file has predictions of, from its first line; all, where that tells none."""
    try:
        with open(path, encoding="utf-8") as file:
            record = json.loads(file.readline())
    except (OSError, ValueError):
        return list(spec.names)
    return [name for name in spec.names if isinstance(record, dict) and name in record] or list(spec.names)
