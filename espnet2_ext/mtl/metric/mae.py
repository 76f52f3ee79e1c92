"""Mean absolute error."""

import numpy as np
from numpy.typing import ArrayLike

from espnet2_ext.mtl.metric.labels import Floats, regression_pair


def mae(prediction: ArrayLike, target: ArrayLike) -> Floats:
    """Mean absolute error in the unit of the labels.

    Args:
        prediction: (N,) or (N, D).
        target: (N,) or (N, D); NaN where missing.

    Returns:
        () or (D,), >= 0; NaN without any label.

    Raises:
        ValueError: The shapes differ, or a labelled prediction is not finite.
    """
    x, y, mask = regression_pair(prediction, target)
    count = mask.sum(axis=0)
    return np.where(count > 0, np.abs(x - y).sum(axis=0) / np.maximum(count, 1), np.nan)[()]
