"""All metrics of all tasks over a whole set, and the score that selects models."""

import logging
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from espnet2_ext.mtl.metric.ccc import ccc
from espnet2_ext.mtl.metric.confusion import (
    confusion_matrix,
    f1_by_class,
    mean_of_known,
    recall_by_class,
)
from espnet2_ext.mtl.metric.harmonic_mean import harmonic_mean
from espnet2_ext.mtl.metric.macro_f1 import macro_f1
from espnet2_ext.mtl.metric.mae import mae
from espnet2_ext.mtl.metric.pearson import pearson
from espnet2_ext.mtl.metric.uar import uar
from espnet2_ext.mtl.metric.wa import wa
from espnet2_ext.mtl.task_spec import Task, TaskSpec

REGRESSION_METRICS = {"ccc": ccc, "pearson": pearson, "mae": mae}
CLASSIFICATION_METRICS = {"uar": uar, "wa": wa, "macro_f1": macro_f1}

Arrays = Mapping[str, NDArray[np.generic]]


def evaluate(spec: TaskSpec, predictions: Arrays, targets: Arrays) -> dict[str, float]:
    """Compute every metric of every task over a whole set.

    A regression metric is the mean over the dimensions that have a label. The score is the harmonic mean of its terms,
    higher is better, always finite: where a term is not defined (a task without any label) it is 0, and a warning names
    the task.

    Args:
        spec: The tasks and the score.
        predictions: By task: (N, D) in the task's unit, or (N, C) probabilities or scores.
        targets: By task: (N, D) with NaN, or (N,) class indices with -1, where a label is missing.

    Returns:
        `<task>_<metric>` for every task and metric (NaN where not defined), and the score under its name.

    Raises:
        ValueError: A task is missing, shapes do not fit the task, or a prediction is not finite.
    """
    results: dict[str, float] = {}
    for task in spec.tasks:
        prediction, target = _checked(task, predictions, targets)
        metrics = CLASSIFICATION_METRICS if task.is_classification else REGRESSION_METRICS
        for name, metric in metrics.items():
            try:
                value = metric(prediction, target)
            except ValueError as error:
                raise ValueError(f"task {task.name}: {error}") from error
            results[f"{task.name}_{name}"] = mean_of_known(np.atleast_1d(value))
    results[spec.score.name] = _score(spec, results)
    return results


def per_dimension(spec: TaskSpec, predictions: Arrays, targets: Arrays) -> dict[str, dict[str, dict[str, float]]]:
    """Compute the metrics of each dimension and each class, for reports.

    Args:
        spec: The tasks.
        predictions: See `evaluate`.
        targets: See `evaluate`.

    Returns:
        Task name -> dimension or class name -> metric -> value. Metrics are `count` (labels) and ccc, pearson and mae,
        or recall and f1; NaN where not defined.

    Raises:
        ValueError: See `evaluate`.
    """
    return {task.name: _by_label(task, *_checked(task, predictions, targets)) for task in spec.tasks}


def _by_label(task: Task, prediction: NDArray[np.generic], target: NDArray[np.generic]) -> dict[str, dict[str, float]]:
    if task.is_classification:
        counts = confusion_matrix(prediction, target, len(task.classes))
        columns = {"count": counts.sum(axis=1), "recall": recall_by_class(counts), "f1": f1_by_class(counts)}
    else:
        columns = {"count": (~np.isnan(target)).sum(axis=0)}
        columns |= {name: metric(prediction, target) for name, metric in REGRESSION_METRICS.items()}
    return {
        label: {name: float(values[index]) for name, values in columns.items()}
        for index, label in enumerate(task.labels)
    }


def _checked(task: Task, predictions: Arrays, targets: Arrays) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Return predictions (N, outputs) and targets (N, D) or (N,) of a task, or raise ValueError."""
    if task.name not in predictions or task.name not in targets:
        raise ValueError(f"task {task.name}: no predictions or no labels given")
    prediction, target = np.asarray(predictions[task.name]), np.asarray(targets[task.name])
    expected = (len(target),) if task.is_classification else (len(target), task.n_outputs)
    if target.shape != expected or prediction.shape != (len(target), task.n_outputs):
        raise ValueError(
            f"task {task.name}: predictions {prediction.shape} and labels {target.shape} do not fit"
            f" its {task.n_outputs} outputs"
        )
    return prediction, target


def _score(spec: TaskSpec, results: Mapping[str, float]) -> float:
    terms = [term for term in spec.score.terms if term.task in spec.names]
    values = []
    for term in terms:
        value = results[f"{term.task}_{term.metric}"]
        if term.inverse:
            # An error of exactly 0 has no inverse; the smallest float keeps the score finite.
            value = 1.0 / max(value, np.finfo(np.float64).tiny) if not np.isnan(value) else value
        values.append(value)
        if np.isnan(value):
            logging.warning(
                "score %s: %s of task %s is not defined (no label); the score is 0",
                spec.score.name,
                term.metric,
                term.task,
            )
    score = harmonic_mean(values)
    return 0.0 if np.isnan(score) else score
