"""Input checks shared by the metrics."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def regression_pair(prediction: ArrayLike, target: ArrayLike) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return predictions and labels as float64, 0 where there is no label, and the mask of labels.

    Args:
        prediction: (N,) or (N, D) values.
        target: (N,) or (N, D) labels; NaN where missing.

    Returns:
        Predictions, labels and mask, each of that shape.

    Raises:
        ValueError: The shapes differ, a labelled prediction is not finite, or a label is infinite.
    """
    x, y = np.asarray(prediction, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if x.shape != y.shape or x.ndim not in (1, 2):
        raise ValueError(f"predictions {x.shape} and labels {y.shape} must both be (N,) or (N, D)")
    mask = ~np.isnan(y)
    _check_finite(x[mask], "predictions")
    _check_finite(y[mask], "labels")
    return np.where(mask, x, 0.0), np.where(mask, y, 0.0), mask


def class_pair(prediction: ArrayLike, target: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return predicted and true class indices of the labelled rows.

    Args:
        prediction: (N,) class indices, or (N, C) probabilities or scores, of which the largest decides (the first of
            equal ones).
        target: (N,) class indices; -1 where missing.

    Returns:
        Both (labelled rows,) int64.

    Raises:
        ValueError: The shapes differ, a labelled score is not finite, or an index is negative (other than -1 in
            `target`), fractional, or not below C.
    """
    given, y = np.asarray(prediction), np.asarray(target)
    if y.ndim != 1 or given.ndim not in (1, 2) or given.shape[:1] != y.shape:
        raise ValueError(f"predictions {given.shape} must be (N,) or (N, C), labels {y.shape} (N,)")
    y = _as_indices(y, "labels", lowest=-1)
    labelled = y >= 0
    given, y = given[labelled], y[labelled]
    if given.ndim == 1:
        return _as_indices(given, "predictions", lowest=0), y
    if y.size and y.max() >= given.shape[1]:
        raise ValueError(f"label {y.max()} with scores of {given.shape[1]} classes only")
    _check_finite(given, "scores")
    x = given.argmax(axis=1) if given.size else np.zeros(0)
    return x.astype(np.int64), y


def _check_finite(values: NDArray[np.generic], what: str) -> None:
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise ValueError(f"{bad} of {values.size} {what} are not finite")


def _as_indices(values: NDArray[np.generic], what: str, lowest: int) -> NDArray[np.int64]:
    _check_finite(values, what)
    indices = values.astype(np.int64)
    wrong = int(((indices < lowest) | (indices != values)).sum())
    if wrong:
        raise ValueError(f"{wrong} of {values.size} {what} are no class index >= {lowest}")
    return indices
