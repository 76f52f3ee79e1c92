"""Concordance correlation coefficient."""

import numpy as np
from numpy.typing import ArrayLike

from espnet2_ext.mtl.metric.labels import Floats
from espnet2_ext.mtl.metric.moments import moments


def ccc(prediction: ArrayLike, target: ArrayLike) -> Floats:
    """CCC = 2 cov / (var_x + var_y + (mean_x - mean_y)^2) with population moments (Lin 1989).

    0 where predictions or labels are constant, a single sample included, even if they agree: a constant shows no
    concordance.

    Args:
        prediction: (N,) or (N, D).
        target: (N,) or (N, D); NaN where missing.

    Returns:
        () or (D,) in [-1, 1]; NaN without any label.

    Raises:
        ValueError: The shapes differ, or a labelled prediction is not finite.
    """
    m = moments(prediction, target)
    denominator = m.var_x + m.var_y + (m.mean_x - m.mean_y) ** 2
    value = np.where(m.covariance != 0, 2 * m.covariance, 0.0) / np.where(m.covariance != 0, denominator, 1.0)
    return np.where(m.count > 0, value, np.nan)[()]
