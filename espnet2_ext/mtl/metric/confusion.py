"""Confusion matrix, and recall and F1 of each class."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from espnet2_ext.mtl.metric.labels import Floats, class_pair


def confusion_matrix(prediction: ArrayLike, target: ArrayLike, n_classes: int | None = None) -> NDArray[np.int64]:
    """Count predictions: row = true class, column = predicted class.

    Args:
        prediction: (N,) class indices, or (N, C) probabilities or scores.
        target: (N,) class indices; -1 where missing.
        n_classes: Size of the matrix; None: as many as occur.

    Returns:
        (C, C) counts.

    Raises:
        ValueError: See `labels.class_pair`; or an index is not below `n_classes`.
    """
    x, y = class_pair(prediction, target)
    highest = max(x.max(initial=-1), y.max(initial=-1))
    size = int(highest) + 1 if n_classes is None else n_classes
    if highest >= size:
        raise ValueError(f"class index {highest} with {size} classes only")
    return np.bincount(y * size + x, minlength=size * size).reshape(size, size)


def recall_by_class(counts: NDArray[np.int64]) -> Floats:
    """Recall of each class (C,) of a confusion matrix; NaN for a class without a label."""
    support = counts.sum(axis=1)
    return np.where(support > 0, np.diag(counts) / np.maximum(support, 1), np.nan)


def f1_by_class(counts: NDArray[np.int64]) -> Floats:
    """F1 = 2 TP / (support + predicted) of each class (C,); NaN for a class neither labelled nor predicted."""
    occurrences = counts.sum(axis=1) + counts.sum(axis=0)
    return np.where(occurrences > 0, 2 * np.diag(counts) / np.maximum(occurrences, 1), np.nan)


def mean_of_known(values: Floats) -> float:
    """Mean of the values that are not NaN; NaN if there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
