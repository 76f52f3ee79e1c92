"""Weighted accuracy."""

import numpy as np
from numpy.typing import ArrayLike

from espnet2_ext.mtl.metric.confusion import confusion_matrix


def wa(prediction: ArrayLike, target: ArrayLike) -> float:
    """Share of labelled rows whose class is right: accuracy, or recall weighted by support.

    Args:
        prediction: (N,) class indices, or (N, C) probabilities or scores.
        target: (N,) class indices; -1 where missing.

    Returns:
        In [0, 1]; NaN without any label.

    Raises:
        ValueError: See `labels.class_pair`.
    """
    counts = confusion_matrix(prediction, target)
    return float(np.trace(counts) / counts.sum()) if counts.sum() else float("nan")
