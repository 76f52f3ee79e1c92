"""Labels of mixtures."""

from collections.abc import Sequence

import numpy as np

from espnet2_ext.mtl.task_spec import Task


def mix_targets(
    task: Task, targets: np.ndarray, first: Sequence[int], second: Sequence[int], weights: Sequence[float]
) -> np.ndarray:
    """Mix a task's labels, w a + (1 - w) b.

    Args:
        task: The task.
        targets: Of the whole set: (N, D) float32, NaN where missing; (N,) int64 classes, -1 where missing; or
            (N, C) float32 probabilities of classes, NaN where missing.
        first: Utterance numbers (B).
        second: Their partners (B); where a row is no mixture, the utterance itself.
        weights: Of the first (B), in [0, 1].

    Returns:
        Regression: (B, D) float32 in the task's unit, NaN where either label is missing. Classification: (B, C) float32
        probabilities; NaN rows where either is missing.
    """
    weight = np.asarray(weights, np.float64)[:, None]
    a, b = (_as_floats(task, targets[list(numbers)]) for numbers in (first, second))
    return (weight * a + (1 - weight) * b).astype(np.float32)


def _as_floats(task: Task, targets: np.ndarray) -> np.ndarray:
    if not task.is_classification or targets.ndim == 2:
        return targets.astype(np.float64)
    rows = np.eye(len(task.classes))[targets]
    rows[targets < 0] = np.nan
    return rows
