"""The reporter: plain state, best epochs, and intervals in the place of steps."""

import datetime
import io
import math
import warnings

import pytest
import torch
from espnet2.train.reporter import Reporter

from espnet2_ext.train.reporter import MTLReporter, register_interval


def reporter_of(values: list[float], name: str = "score") -> MTLReporter:
    reporter = MTLReporter()
    for epoch, value in enumerate(values, 1):
        reporter.set_epoch(epoch)
        with reporter.observe("valid") as sub:
            sub.register({name: value})
            sub.next()
    return reporter


def test_state_loads_with_weights_only() -> None:
    reporter = reporter_of([0.5, 0.25, 0.75])
    file = io.BytesIO()
    torch.save(reporter.state_dict(), file)
    file.seek(0)
    other = MTLReporter()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.get_epoch() == 3
    assert [other.get_value("valid", "score", epoch) for epoch in (1, 2, 3)] == [0.5, 0.25, 0.75]
    assert other.stats.keys() == reporter.stats.keys()
    for epoch in reporter.stats:
        one, two = reporter.stats[epoch]["valid"], other.stats[epoch]["valid"]
        assert one.keys() == two.keys()
        assert isinstance(two["time"], datetime.timedelta)
        assert isinstance(two["total_count"], int)
        assert two["time"].total_seconds() == pytest.approx(one["time"].total_seconds())
    assert other.log_message() == reporter.log_message()


@pytest.mark.parametrize(
    ("values", "mode", "expected"),
    [
        ([0.5, 0.7, 0.6], "max", [2, 3, 1]),
        ([0.5, 0.7, 0.6], "min", [1, 3, 2]),
        # ESPnet's sort gives [1, 2, 3, 4] here: NaN is neither more nor less.
        ([0.5, math.nan, 0.7, 0.6], "max", [3, 4, 1, 2]),
        ([0.5, math.nan, 0.7, 0.6], "min", [1, 4, 3, 2]),
        ([math.nan, math.nan], "max", [1, 2]),
        ([0.5, 0.5, 0.5], "max", [1, 2, 3]),
        ([0.5, 0.6, 0.6], "max", [2, 3, 1]),
        ([0.5, 0.4, 0.4], "min", [2, 3, 1]),
    ],
)
def test_best_epochs(values: list[float], mode: str, expected: list[int]) -> None:
    assert reporter_of(values).best_epochs("valid", "score", mode) == expected


def test_best_epochs_of_an_unknown_name() -> None:
    assert reporter_of([0.5]).best_epochs("valid", "other", "max") == []


STEPS = [
    {"loss": 1.0, "loss_age": math.nan, "grad_norm": 0.5},
    {"loss": 2.0, "loss_age": 4.0, "grad_norm": 1.5},
    {"loss": 4.5, "loss_age": math.nan, "grad_norm": 1.0},
    {"loss": 0.5, "loss_age": 8.0, "grad_norm": 3.0},
    {"loss": 7.0, "loss_age": 9.0, "grad_norm": 2.0},
]


def mean(steps: list[dict[str, float]], name: str) -> tuple[float, float]:
    values = [step[name] for step in steps if not math.isnan(step[name])]
    return (sum(values) / len(values) if values else math.nan), len(values)


def test_intervals_equal_single_steps() -> None:
    single, joined = Reporter(), MTLReporter()
    for reporter in (single, joined):
        reporter.set_epoch(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the previous epoch, which does not exist
        with single.observe("train") as sub:
            for step in STEPS:
                sub.register(step, 1.0)
                sub.next()
        with joined.observe("train") as sub:
            for part in (STEPS[:1], STEPS[1:3], STEPS[3:]):
                register_interval(sub, {name: mean(part, name) for name in STEPS[0]}, len(part))
            assert sub.get_total_count() == 5
    for name in (*STEPS[0], "total_count"):
        assert joined.get_value("train", name, 1) == pytest.approx(single.get_value("train", name, 1), rel=1e-12)


def test_a_late_value_is_of_its_own_steps() -> None:
    reporter = MTLReporter()
    reporter.set_epoch(1)
    with reporter.observe("train") as sub:
        register_interval(sub, {"a": (1.0, 10)}, 10)
        register_interval(sub, {"a": (4.0, 20), "b": (7.0, 20)}, 20)
        assert "b=7.000" in sub.log_message()
    assert reporter.get_value("train", "a", 1) == pytest.approx(3.0)
    assert reporter.get_value("train", "b", 1) == pytest.approx(7.0)
    assert reporter.get_value("train", "total_count", 1) == 30
