"""Pinned values, worked out by hand from the formulas in float64."""

import math

import pytest
import torch

from espnet2_ext.mtl.weighting import build_weighting

TASKS = ("a", "b", "c")
LOSSES = {"a": 1.0, "b": 2.0, "c": 3.0}
LN2 = math.log(2)


def total_and_weights(name: str, **conf: object) -> tuple[float, list[float]]:
    losses = {task: torch.tensor(value, dtype=torch.float64) for task, value in LOSSES.items()}
    total, weights = build_weighting(name, TASKS, **conf)(losses)
    return total.item(), [weights[task].item() for task in TASKS]


ALPHA = {"a": 0.5, "b": 1.0, "c": 2.0}  # weights 4, 1, 1/4; weighted losses 4 + 2 + 3/4
LARGE = {"a": 1.0, "b": 1.5, "c": 2.0}  # weights 1, 4/9, 1/4; weighted losses 1 + 8/9 + 3/4
SOFT_R = math.log(1.25) + LN2 + math.log(5)
PRINTED_R = math.log(1 + 2 * math.log(1.5)) + math.log(1 + 2 * LN2)
VALUES = [
    ("equal", {}, 6.0, [1, 1, 1]),
    ("static", {"weights": {"c": 2.0, "a": 0.5, "b": 1}}, 8.5, [0.5, 1, 2]),
    ("uw", {}, 6.0, [1, 1, 1]),
    ("uw", {"initial_alpha": ALPHA}, 6.75, [4, 1, 0.25]),  # the logarithms cancel
    ("uw", {"initial_alpha": 0.5}, 24 - 3 * LN2, [4, 4, 4]),
    ("uw", {"form": "released"}, 18 - 3 * math.log(3), [3, 3, 3]),  # 1 / (3 / 9) = 3
    ("uw", {"form": "released", "initial_alpha": ALPHA}, 2.25, [4 / 3, 1 / 3, 1 / 12]),
    ("ruw", {}, 6 + 3 * LN2, [1, 1, 1]),
    ("ruw", {"initial_alpha": ALPHA}, 6.75 + SOFT_R, [4, 1, 0.25]),
    ("ruw", {"regulariser": "printed"}, 6.0, [1, 1, 1]),
    ("ruw", {"regulariser": "printed", "initial_alpha": LARGE}, 2.75 - 1 / 9 + PRINTED_R, [1, 4 / 9, 0.25]),
    ("rruw", {}, 6 + 3 * LN2 + 1, [1, 1, 1]),
    ("rruw", {"initial_alpha": ALPHA}, 6.75 + SOFT_R + 2 * LN2 - 1, [4, 1, 0.25]),
    ("rruw", {"initial_alpha": ALPHA, "phi": 3.0}, 6.75 + SOFT_R + 3 - 2 * LN2, [4, 1, 0.25]),
    ("rruw", {"initial_alpha": ALPHA, "restraint": "alpha"}, 6.75 + SOFT_R + 2.5, [4, 1, 0.25]),
    ("rruw", {"initial_alpha": ALPHA, "restraint": "alpha", "restraint_coefficient": 0.1}, 7 + SOFT_R, [4, 1, 0.25]),
    # alpha = 1/3 each: weights 3, R = log(10/9) each, sum of alpha = phi.
    ("rruw", {"form": "released", "restraint": "alpha"}, 18 + 3 * math.log(10 / 9), [3, 3, 3]),
    (
        "rruw",
        {"initial_alpha": LARGE, "regulariser": "printed"},
        2.75 - 1 / 9 + PRINTED_R + math.log(3) - 1,
        [1, 4 / 9, 0.25],
    ),
    ("dwa", {}, 6.0, [1, 1, 1]),
    ("druw", {}, 12 + 3 * LN2 + 1, [2, 2, 2]),
    ("druw", {"initial_alpha": ALPHA}, 12.75 + SOFT_R + 2 * LN2 - 1, [5, 2, 1.25]),
    ("softmax", {}, 2.0, [1 / 3, 1 / 3, 1 / 3]),
    # lambda / c^2 = 1e-8 / 1e-4; R = 2 log 2 + log(1 + 1e-4); sum of c is 2.01.
    (
        "ruwl",
        {"scales": {"c": 1e-8}, "initial_alpha": {"c": 0.01}},
        3 + 3e-4 + 2 * LN2 + math.log(1.0001) + 0.01,
        [1, 1, 1e-4],
    ),
]


@pytest.mark.parametrize(("name", "conf", "total", "weights"), VALUES)
def test_value(name: str, conf: dict, total: float, weights: list[float]) -> None:
    got_total, got_weights = total_and_weights(name, **conf)
    assert got_total == pytest.approx(total, rel=1e-6)
    assert got_weights == pytest.approx(weights, rel=1e-6)


def test_dwa_over_three_epochs_by_hand() -> None:
    weighting = build_weighting("dwa", ("a", "b"), temperature=2.0)
    assert lambdas(weighting) == [1, 1]
    weighting.on_epoch_end({"a": 1.0, "b": 2.0})
    assert lambdas(weighting) == [1, 1]
    weighting.on_epoch_end({"a": 0.5, "b": 1.8})
    # r = (.5, .9): 2 exp(.25) / (exp(.25) + exp(.45)) = 2 / (1 + exp(.2))
    first = 2 / (1 + math.exp(0.2))
    assert lambdas(weighting) == pytest.approx([first, 2 - first], rel=1e-6)
    weighting.on_epoch_end({"a": 0.6, "b": 0.9})
    # r = (1.2, .5): 2 / (1 + exp(-.35))
    first = 2 / (1 + math.exp(-0.35))
    assert lambdas(weighting) == pytest.approx([first, 2 - first], rel=1e-6)
    total, weights = weighting({"a": torch.tensor(10.0), "b": torch.tensor(1.0)})
    assert total.item() == pytest.approx(10 * first + 2 - first, rel=1e-6)
    assert weights["a"].item() == pytest.approx(first, rel=1e-6)


def test_default_temperature_is_ten() -> None:
    weighting = build_weighting("dwa", ("a", "b"))
    weighting.on_epoch_end({"a": 1.0, "b": 1.0})
    weighting.on_epoch_end({"a": 1.0, "b": 3.0})
    first = 2 / (1 + math.exp(0.2))
    assert lambdas(weighting) == pytest.approx([first, 2 - first], rel=1e-6)


def test_druw_adds_lambda_to_the_inverse_variance() -> None:
    weighting = build_weighting("druw", ("a", "b"), temperature=2.0, initial_alpha={"a": 0.5})
    weighting.on_epoch_end({"a": 1.0, "b": 2.0})
    weighting.on_epoch_end({"a": 0.5, "b": 1.8})
    first = 2 / (1 + math.exp(0.2))
    total, weights = weighting({"a": torch.tensor(1.0), "b": torch.tensor(3.0)})
    assert weights["a"].item() == pytest.approx(first + 4, rel=1e-6)
    assert weights["b"].item() == pytest.approx(3 - first, rel=1e-6)
    expected = first + 4 + 3 * (3 - first) + math.log(1.25) + LN2 + abs(1 - LN2)
    assert total.item() == pytest.approx(expected, rel=1e-6)
    stats = {name: value.item() for name, value in weighting.stats().items()}
    assert stats == pytest.approx(
        {"alpha_a": 0.5, "alpha_b": 1, "lambda_a": first, "lambda_b": 2 - first, "restraint_sum": LN2}, rel=1e-6
    )


def test_dwa_by_iteration() -> None:
    weighting = build_weighting("dwa", ("a", "b"), temperature=2.0, step="iteration")
    steps = [(1.0, 2.0), (0.5, 1.8), (7.0, 7.0)]
    used = []
    for a, b in steps:
        used.append([w.item() for w in weighting({"a": torch.tensor(a), "b": torch.tensor(b)})[1].values()])
    first = 2 / (1 + math.exp(0.2))
    assert used[:2] == [[1, 1], [1, 1]]
    assert used[2] == pytest.approx([first, 2 - first], rel=1e-6)  # of the two steps before, not of its own
    weighting.eval()
    before = lambdas(weighting)
    weighting({"a": torch.tensor(1.0), "b": torch.tensor(99.0)})
    weighting.on_epoch_end({"a": 1.0, "b": 99.0})
    assert lambdas(weighting) == before


def test_dwa_by_epoch_ignores_the_steps() -> None:
    weighting = build_weighting("dwa", ("a", "b"))
    for loss in (1.0, 5.0, 9.0):
        weighting({"a": torch.tensor(loss), "b": torch.tensor(1.0)})
    assert lambdas(weighting) == [1, 1]


def lambdas(weighting: torch.nn.Module) -> list[float]:
    return [value.item() for value in weighting.stats().values()]
