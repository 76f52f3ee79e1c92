"""Harmonic mean of several metrics."""

from collections.abc import Iterable

import numpy as np


def harmonic_mean(values: Iterable[float]) -> float:
    """Number of values over the sum of their inverses.

    0 as soon as one value is 0 or less, which is its limit; NaN if one is NaN or there is none.

    Args:
        values: Metrics of which more is better.

    Returns:
        A number >= 0, or NaN.
    """
    x = np.asarray(list(values), dtype=np.float64)
    if x.size == 0 or np.isnan(x).any():
        return float("nan")
    with np.errstate(over="ignore"):  # the inverse of a subnormal number is infinite, and the mean 0, as it should be
        return 0.0 if (x <= 0).any() else float(x.size / np.sum(1.0 / x))
