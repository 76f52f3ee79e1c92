"""Gradients and bounds of the learnt weightings, by hand."""

import math

import pytest
import torch

from espnet2_ext.mtl.weighting import AbsWeighting, build_weighting


def gradient(weighting: AbsWeighting, present: list[bool] | None = None, **losses: float) -> list[float]:
    tensors = {task: torch.tensor(value, dtype=torch.float64) for task, value in losses.items()}
    weighting.zero_grad()
    weighting(tensors, None if present is None else torch.tensor(present))[0].backward()
    return next(weighting.parameters()).grad.tolist()


def test_uw_gradient_and_its_sign() -> None:
    # d/ds [exp(-s) L + s/2] = 1/2 - L / alpha^2: a loss above alpha^2 / 2 raises alpha, one below lowers it.
    weighting = build_weighting("uw", ("a", "b"), initial_alpha={"b": 2.0})
    assert gradient(weighting, a=0.2, b=3.0) == pytest.approx([0.3, -0.25], rel=1e-6)


def test_uw_settles_at_alpha2_twice_the_loss_and_below_zero() -> None:
    weighting = build_weighting("uw", ("a",))
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.5)
    for _ in range(300):
        optimizer.zero_grad()
        total, weights = weighting({"a": torch.tensor(0.05)})
        total.backward()
        optimizer.step()
    assert weights["a"].item() == pytest.approx(10, rel=1e-3)  # 1 / (2 L)
    assert total.item() == pytest.approx(0.5 + 0.5 * math.log(0.1), rel=1e-3)
    assert total < 0


def test_ruw_gradient_and_bound() -> None:
    # d/ds [exp(-s) L + log(1 + exp(s))] = 1 / (1 + exp(-s)) - L exp(-s)
    weighting = build_weighting("ruw", ("a", "b"), initial_alpha={"b": 0.5})
    assert gradient(weighting, a=2.0, b=0.1) == pytest.approx([0.5 - 2, 0.2 - 0.4], rel=1e-6)
    for alpha in (1e-6, 1e-3, 0.6, 1.0, 1e3, 1e6):
        total = build_weighting("ruw", ("a",), initial_alpha=alpha)({"a": torch.tensor(0.0)})[0]
        assert 0 <= total.item() < math.inf


@pytest.mark.parametrize(("loss", "settles_at"), [(0.2, 1.0), (4.0, None)])
def test_printed_form_keeps_alpha_at_one_or_above(loss: float, settles_at: float | None) -> None:
    """exp(-s) L + log(1 + s) on s >= 0: minimum at the bound for L < 1, inside, at exp(-s) L = 1 / (1 + s), above."""
    weighting = build_weighting("ruw", ("a",), regulariser="printed", initial_alpha=3.0 if settles_at else 1.0)
    optimizer = torch.optim.AdamW(weighting.parameters(), lr=0.02, weight_decay=0.0)
    for _ in range(2000):
        optimizer.zero_grad()
        total, weights = weighting({"a": torch.tensor(loss)})
        total.backward()
        optimizer.step()
        assert weights["a"].item() <= 1.0
        assert total.item() >= 0
    s = -math.log(weights["a"].item())
    if settles_at:
        assert s == pytest.approx(0, abs=1e-6)
    else:
        assert loss * math.exp(-s) == pytest.approx(1 / (1 + s), rel=1e-2)
        assert s > 1


def test_printed_form_comes_back_from_the_bound() -> None:
    weighting = build_weighting("ruw", ("a",), regulariser="printed")
    assert gradient(weighting, a=0.5) == [0]  # 1 - L > 0: descent would leave the domain
    assert gradient(weighting, a=3.0) == pytest.approx([-2.0])  # 1 - L < 0: back inside
    with torch.no_grad():
        weighting.log_alpha2.fill_(-0.4)  # where the momentum of an optimizer may carry it
    assert gradient(weighting, a=3.0) == pytest.approx([-2.0])
    assert weighting({"a": torch.tensor(3.0)})[1]["a"].item() == 1.0


@pytest.mark.parametrize(
    ("restraint", "alpha", "phi", "slope"),
    [
        ("log_alpha", 2.0, 1.0, -0.5),  # |log 2| < 1: s must grow
        ("log_alpha", 2.0, 0.5, 0.5),
        ("log_alpha", 0.5, 1.0, 0.5),  # |log alpha| grows as s falls
        ("alpha", 2.0, 1.0, 1.0),  # d alpha / ds = alpha / 2
        ("alpha", 0.5, 1.0, -0.25),
    ],
)
def test_restraint_gradient(restraint: str, alpha: float, phi: float, slope: float) -> None:
    conf = {"restraint": restraint, "phi": phi, "initial_alpha": alpha}
    free = gradient(build_weighting("ruw", ("a",), initial_alpha=alpha), a=1.0)[0]
    for coefficient in (1.0, 0.3):
        restrained = build_weighting("rruw", ("a",), restraint_coefficient=coefficient, **conf)
        assert gradient(restrained, a=1.0)[0] - free == pytest.approx(coefficient * slope, rel=1e-5)


def test_restraint_leads_the_sum_to_phi() -> None:
    weighting = build_weighting("rruw", ("a", "b", "c"), phi=2.5, restraint_coefficient=10.0, initial_alpha=1.5)
    optimizer = torch.optim.SGD(weighting.parameters(), lr=1e-3)
    for _ in range(2000):
        optimizer.zero_grad()
        weighting({task: torch.tensor(1.0) for task in "abc"})[0].backward()
        optimizer.step()
    assert weighting.stats()["restraint_sum"].item() == pytest.approx(2.5, abs=0.05)


def test_softmax_gradient_and_drift_to_the_smaller_loss() -> None:
    # d/d lambda_k = w_k (L_k - sum_j w_j L_j) = (1/2) (L_k - 2)
    weighting = build_weighting("softmax", ("a", "b"))
    assert gradient(weighting, a=1.0, b=3.0) == pytest.approx([-0.5, 0.5])
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        weighting({"a": torch.tensor(1.0), "b": torch.tensor(3.0)})[0].backward()
        optimizer.step()
    assert weighting({"a": torch.tensor(1.0), "b": torch.tensor(3.0)})[1]["a"] > 0.9


@pytest.mark.parametrize("name", ["uw", "ruw", "rruw", "druw"])
def test_losses_get_the_weight_as_gradient(name: str) -> None:
    weighting = build_weighting(name, ("a", "b"), initial_alpha={"a": 0.7, "b": 1.3})
    losses = {task: torch.tensor(1.7, requires_grad=True) for task in "ab"}
    total, weights = weighting(losses)
    total.backward()
    for task, loss in losses.items():
        assert loss.grad.item() == pytest.approx(weights[task].item(), rel=1e-6)
        assert not weights[task].requires_grad
