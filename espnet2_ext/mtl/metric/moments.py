"""Population moments of predictions and labels, missing labels left out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from espnet2_ext.mtl.metric.labels import Floats, regression_pair

# Rounding leaves a constant column with deviations of about one unit in the last place of its largest value.
_ROUNDING_UNITS = 8.0


class Moments(NamedTuple):
    """Moments over the labelled rows, each () or (D,); `count` is 0 where there is no label."""

    count: Floats
    mean_x: Floats
    mean_y: Floats
    var_x: Floats
    var_y: Floats
    covariance: Floats


def moments(prediction: ArrayLike, target: ArrayLike) -> Moments:
    """Means, variances and covariance divided by n, in float64, centred first.

    Args:
        prediction: (N,) or (N, D).
        target: (N,) or (N, D); NaN where missing.

    Raises:
        ValueError: See `labels.regression_pair`.
    """
    x, y, mask = regression_pair(prediction, target)
    count = mask.sum(axis=0)
    divisor = np.maximum(count, 1)
    mean_x, mean_y = x.sum(axis=0) / divisor, y.sum(axis=0) / divisor
    centred_x, centred_y = _centred(x, mean_x, mask), _centred(y, mean_y, mask)
    return Moments(
        count.astype(np.float64),
        mean_x,
        mean_y,
        (centred_x**2).sum(axis=0) / divisor,
        (centred_y**2).sum(axis=0) / divisor,
        (centred_x * centred_y).sum(axis=0) / divisor,
    )


def _centred(values: Floats, mean: Floats, mask: np.ndarray) -> Floats:
    """Deviations from the mean; exactly 0 for a column that is constant but for rounding."""
    centred = np.where(mask, values - mean, 0.0)
    rounding = _ROUNDING_UNITS * np.finfo(np.float64).eps * np.abs(values).max(axis=0, initial=0.0)
    return np.where(np.abs(centred).max(axis=0, initial=0.0) > rounding, centred, 0.0)
