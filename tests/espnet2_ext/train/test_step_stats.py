"""Statistics of steps against plain means."""

import math

import pytest
import torch

from espnet2_ext.train.step_stats import StepStats


def scalars(**values: float) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value) for name, value in values.items()}


def test_means_leave_out_what_is_not_finite() -> None:
    stats = StepStats("cpu")
    rows = [(1.0, math.nan, math.nan), (2.0, 4.0, math.nan), (6.0, math.inf, math.nan), (7.0, 5.0, math.nan)]
    for a, b, c in rows:
        stats.add(scalars(a=a, b=b, c=c))
    means = stats.interval()
    assert means["a"] == (4.0, 4)
    assert means["b"] == (4.5, 2)
    assert math.isnan(means["c"][0])
    assert means["c"][1] == 0


def test_intervals_start_anew_and_the_epoch_goes_on() -> None:
    stats = StepStats("cpu")
    stats.add(scalars(a=1.0, b=math.nan))
    assert stats.interval()["a"] == (1.0, 1)
    for value in (2.0, 6.0):
        stats.add(scalars(a=value, b=10.0))
    assert stats.interval() == {"a": (4.0, 2), "b": (10.0, 2)}
    assert stats.epoch_means() == {"a": 3.0, "b": 10.0}


def test_an_epoch_mean_is_of_steps_not_of_intervals() -> None:
    """Intervals of 3 steps and 1 step: the mean of means would be wrong."""
    stats = StepStats("cpu")
    for value in (0.0, 0.0, 0.0):
        stats.add(scalars(a=value))
    stats.interval()
    stats.add(scalars(a=8.0))
    stats.interval()
    assert stats.epoch_means() == {"a": 2.0}


def test_sums_are_float64() -> None:
    stats = StepStats("cpu")
    values = [1e8] + [1.0] * 1000
    for value in values:
        stats.add(scalars(a=value))
    assert stats.interval()["a"][0] == pytest.approx(sum(values) / len(values), rel=1e-14)


def test_shapes_and_dtypes_of_one_value() -> None:
    stats = StepStats("cpu")
    stats.add({"a": torch.tensor([2.0]), "b": torch.tensor(3, dtype=torch.bfloat16), "c": torch.tensor(True)})
    assert stats.interval() == {"a": (2.0, 1), "b": (3.0, 1), "c": (1.0, 1)}


def test_other_names_are_refused() -> None:
    stats = StepStats("cpu")
    stats.add(scalars(a=1.0, b=1.0))
    for wrong in (scalars(a=1.0), scalars(b=1.0, a=1.0), scalars(a=1.0, b=1.0, c=1.0)):
        with pytest.raises(ValueError, match="differ from the first step's"):
            stats.add(wrong)
