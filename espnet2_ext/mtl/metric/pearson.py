"""Pearson's correlation coefficient."""

import numpy as np
from numpy.typing import ArrayLike

from espnet2_ext.mtl.metric.labels import Floats
from espnet2_ext.mtl.metric.moments import moments


def pearson(prediction: ArrayLike, target: ArrayLike) -> Floats:
    """Pearson's rho = cov / (std_x std_y); 0 where predictions or labels are constant (a single sample included).

    Args:
        prediction: (N,) or (N, D).
        target: (N,) or (N, D); NaN where missing.

    Returns:
        () or (D,) in [-1, 1]; NaN without any label.

    Raises:
        ValueError: The shapes differ, or a labelled prediction is not finite.
    """
    m = moments(prediction, target)
    spread = np.sqrt(m.var_x) * np.sqrt(m.var_y)
    value = np.where(spread > 0, m.covariance, 0.0) / np.where(spread > 0, spread, 1.0)
    return np.where(m.count > 0, np.clip(value, -1.0, 1.0), np.nan)[()]
