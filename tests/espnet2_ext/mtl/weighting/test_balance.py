"""The balance of DWA and RRUW inside DRUW: values by hand, the optimum by a numerical minimiser, and no collapse."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from espnet2_ext.mtl.weighting import AbsWeighting, build_weighting
from espnet2_ext.mtl.weighting.rruw import RestrainedUncertaintyWeighting

TASKS = ("a", "b", "c")
LOSSES = {"a": 1.0, "b": 2.0, "c": 3.0}
ALPHA = {"a": 0.5, "b": 1.0, "c": 2.0}
LEARNT = {"kind": "learnt"}


def tensors(losses: dict[str, float]) -> dict[str, torch.Tensor]:
    return {task: torch.tensor(value) for task, value in losses.items()}


def with_history(name: str, **conf: object) -> AbsWeighting:
    """Build a weighting whose lambdas differ: quotients 1/2, 1 and 2, temperature 2."""
    weighting = build_weighting(name, TASKS, **conf)
    weighting.on_epoch_end({"a": 2.0, "b": 2.0, "c": 1.0})
    weighting.on_epoch_end({"a": 1.0, "b": 2.0, "c": 2.0})
    return weighting


def descend(weighting: AbsWeighting, losses: Callable[[int], dict[str, float]], steps: int, lr: float) -> list[float]:
    """Take AdamW's steps; return the balance after each."""
    optimizer = torch.optim.AdamW(weighting.parameters(), lr=lr, weight_decay=0.0)
    path = []
    for step in range(steps):
        optimizer.zero_grad()
        weighting(tensors(losses(step)))[0].backward()
        optimizer.step()
        path.append(weighting.stats()["balance"].item())
    return path


class EquationFive(RestrainedUncertaintyWeighting):
    """DRUW as the paper prints it, written once more: weights lambda + alpha^-2, RRUW's regulariser and restraint."""

    def __init__(self, shares: list[float]) -> None:
        super().__init__(TASKS, initial_alpha=ALPHA)
        self.shares = torch.tensor(shares)

    def weights(self, s: torch.Tensor) -> torch.Tensor:
        return super().weights(s) + self.shares


@pytest.mark.parametrize("conf", [{}, {"balance": 0.5}])
def test_half_is_the_papers_equation_to_the_bit(conf: dict) -> None:
    ours = with_history("druw", initial_alpha=ALPHA, temperature=2.0, **conf)
    papers = EquationFive([ours.stats()[f"lambda_{task}"].item() for task in TASKS])
    assert not any(name.startswith("balance") for name in (*ours.state_dict(), *ours.stats()))
    optimizers = [torch.optim.AdamW(weighting.parameters(), lr=0.05) for weighting in (ours, papers)]
    rng = np.random.default_rng(0)
    for step in range(30):
        losses, totals = tensors(dict(zip(TASKS, rng.uniform(0.01, 3, 3), strict=True))), []
        if step % 5 == 1:
            del losses["b"]
        for weighting, optimizer in zip((ours, papers), optimizers, strict=True):
            total, weights = weighting(losses)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            totals.append([total.item(), *(weight.item() for weight in weights.values())])
        assert totals[0] == totals[1]
        assert torch.equal(ours.log_alpha2, papers.log_alpha2)


@pytest.mark.parametrize("balance", [0, 0.25, 0.6, 1.0])
def test_total_is_a_mean_of_both_methods_totals(balance: float) -> None:
    total, weights = with_history("druw", initial_alpha=ALPHA, temperature=2.0, balance=balance)(tensors(LOSSES))
    dwa, shares = with_history("dwa", temperature=2.0)(tensors(LOSSES))
    rruw, inverse = build_weighting("rruw", TASKS, initial_alpha=ALPHA)(tensors(LOSSES))
    assert total.item() == pytest.approx(2 * (balance * dwa.item() + (1 - balance) * rruw.item()), rel=1e-6)
    for task in TASKS:
        expected = 2 * (balance * shares[task].item() + (1 - balance) * inverse[task].item())
        assert weights[task].item() == pytest.approx(expected, rel=1e-6)


def test_a_quarter_by_hand() -> None:
    # lambda = 1: weights (1 + 3 alpha^-2) / 2 with alpha^-2 = 4, 1, 1/4; RRUW's terms count 3/2.
    total, weights = build_weighting("druw", TASKS, initial_alpha=ALPHA, balance=0.25)(tensors(LOSSES))
    assert [weight.item() for weight in weights.values()] == pytest.approx([6.5, 2.0, 0.875])
    terms = math.log(1.25) + math.log(2) + math.log(5) + 2 * math.log(2) - 1
    assert total.item() == pytest.approx(6.5 + 4 + 2.625 + 1.5 * terms, rel=1e-6)


@pytest.mark.parametrize("balance", [0.0, 0.2, 0.8, 1.0])
def test_balance_scales_the_gradient_of_alpha_and_leaves_its_optimum(balance: float) -> None:
    gradients = []
    for value in (balance, 0.5):
        weighting = build_weighting("druw", TASKS, initial_alpha=ALPHA, balance=value)
        weighting(tensors(LOSSES))[0].backward()
        gradients.append(weighting.log_alpha2.grad.tolist())
    assert gradients[0] == pytest.approx([2 * (1 - balance) * slope for slope in gradients[1]], rel=1e-5)


@pytest.mark.parametrize(
    ("shape", "values"),
    # cos(pi / 3) = 1/2: a quarter of the way after one of three steps.
    [("linear", [0.8, 0.6, 0.4, 0.2, 0.2]), ("cosine", [0.8, 0.65, 0.35, 0.2, 0.2])],
)
def test_schedule_by_hand_and_after_a_restart(shape: str, values: list[float]) -> None:
    conf = {"balance": {"kind": "scheduled", "shape": shape, "start": 0.8, "end": 0.2, "epochs": 4}}
    weighting = build_weighting("druw", TASKS, initial_alpha=0.5, **conf)
    for value in values:
        resumed = build_weighting("druw", TASKS, initial_alpha=0.5, **conf)
        resumed.load_state_dict(weighting.state_dict())
        weighting = resumed
        for _ in range(2):  # constant within the epoch, in training and in validation
            _, weights = weighting.train(not weighting.training)(tensors(LOSSES))
            assert weighting.stats()["balance"].item() == pytest.approx(value, rel=1e-6)
            assert weights["a"].item() == pytest.approx(2 * (value + (1 - value) * 4), rel=1e-6)
        weighting.on_epoch_end(LOSSES)


def objective(rho: float, dwa: float, rruw: float, prior: float) -> float:
    """Log of arithmetic over geometric mean of b D and (1 - b) U, and the Beta prior: from b, not from rho."""
    b = 1 / (1 + math.exp(-rho))
    parts = b * dwa, (1 - b) * rruw
    return math.log(sum(parts) / 2) - 0.5 * sum(map(math.log, parts)) - prior / 2 * math.log(4 * b * (1 - b))


@pytest.mark.parametrize("prior", [1.25, 3.0])
@pytest.mark.parametrize(("dwa", "rruw"), [(1.0, 1.0), (2.0, 3.0), (5.0, 0.4), (1e-3, 40.0), (1e6, 1e-2)])
def test_learnt_optimum_is_that_of_a_numerical_minimiser(dwa: float, rruw: float, prior: float) -> None:
    found = minimize_scalar(
        objective, bounds=(-5, 5), args=(dwa, rruw, prior), method="bounded", options={"xatol": 1e-9}
    )
    best = 1 / (1 + math.exp(-found.x))
    # The formula of the documentation.
    t = (rruw - dwa) / (rruw + dwa)
    assert 0.5 + t / (1 + prior + math.sqrt((1 + prior) ** 2 - 4 * prior * t * t)) == pytest.approx(best, abs=1e-6)
    # One task: D = L, U = L / alpha^2; alpha is held, so that only the balance is learnt.
    weighting = build_weighting("druw", ("a",), initial_alpha=math.sqrt(dwa / rruw), balance={**LEARNT, "prior": prior})
    optimizer = torch.optim.SGD([weighting.balance.logit], lr=0.5)
    for _ in range(300):
        total, _ = weighting({"a": torch.tensor(dwa, dtype=torch.float64)})
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert weighting.stats()["balance"].item() == pytest.approx(best, abs=1e-4)
    assert abs(best - 0.5) < 1 / (2 * prior)


def test_learnt_term_and_its_gradient_by_hand() -> None:
    weighting = build_weighting("druw", ("a", "b"), initial_alpha={"a": 0.5}, balance={**LEARNT, "prior": 2.0})
    with torch.no_grad():
        weighting.balance.logit.fill_(math.log(3))  # b = 3/4
    total, weights = weighting({"a": torch.tensor(1.0), "b": torch.tensor(2.0)})
    total.backward()
    # D = 3, U = 4 + 2: parts 9/4 and 6/4.
    rruw = 6 + math.log(1.25) + math.log(2) + 1 - math.log(2)
    term = math.log(7.5 / 4) - 0.5 * math.log(54 / 16) - math.log(0.75)
    assert total.item() == pytest.approx(1.5 * 3 + 0.5 * rruw + term, rel=1e-6)
    assert [weight.item() for weight in weights.values()] == pytest.approx([1.5 + 2, 1.5 + 0.5])
    # Share of DWA's part less a half, and prior (b - 1/2).
    assert weighting.balance.logit.grad.item() == pytest.approx(9 / 15 - 0.5 + 2 * 0.25, rel=1e-5)
    # Nothing of the balance reaches alpha: half of RRUW's gradient, by the weight 2 (1 - b).
    other = build_weighting("rruw", ("a", "b"), initial_alpha={"a": 0.5})
    other({"a": torch.tensor(1.0), "b": torch.tensor(2.0)})[0].backward()
    assert weighting.log_alpha2.grad.tolist() == pytest.approx((other.log_alpha2.grad / 2).tolist(), rel=1e-5)


def test_losses_get_the_weight_as_gradient_with_any_balance() -> None:
    for balance in (0.3, LEARNT):
        weighting = build_weighting("druw", ("a", "b"), initial_alpha={"a": 0.7, "b": 1.3}, balance=balance)
        losses = {task: torch.tensor(1.7, requires_grad=True) for task in "ab"}
        total, weights = weighting(losses)
        total.backward()
        for task, loss in losses.items():
            assert loss.grad.item() == pytest.approx(weights[task].item(), rel=1e-6)


@pytest.mark.parametrize("lr", [0.02, 0.3])
@pytest.mark.parametrize("scales", [(1e-4, 1.0, 1e4), (1e-6, 1e-6, 1e-5), (1e3, 1e4, 1e5)])
def test_learnt_balance_moves_and_does_not_collapse(scales: tuple[float, ...], lr: float) -> None:
    weighting = build_weighting("druw", TASKS, balance=LEARNT)
    rng = np.random.default_rng(0)

    def losses(step: int) -> dict[str, float]:
        return {t: scale * rng.uniform(0.5, 1.5) * 0.997**step for t, scale in zip(TASKS, scales, strict=True)}

    path = descend(weighting, losses, 1000, lr)
    assert all(math.isfinite(value) and 0.05 < value < 0.95 for value in path)
    assert abs(path[-1] - 0.5) > 0.05
    # DWA's part is held back where U < D, as with one large loss, and brought forward where U > D.
    assert (path[-1] < 0.5) == (scales[2] > 1)


def test_descent_on_the_total_alone_would_collapse() -> None:
    """What the learnt balance avoids: the total is linear in b, so its own gradient drives b to a bound."""
    logit = torch.nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.SGD([logit], lr=1.0)
    path = []
    for _ in range(600):
        b = torch.sigmoid(logit)
        optimizer.zero_grad()
        (2 * (b * 3.0 + (1 - b) * 2.0)).backward()
        optimizer.step()
        path.append(b.item())
    assert path[-1] < 0.002  # beyond any bound in the end: 1 / b grows by about 2 a step
    assert all(later < earlier for earlier, later in itertools.pairwise(path))


@pytest.mark.parametrize("losses", [{"a": 0.0, "b": 0.0}, {"a": -3.0, "b": 1.0}, {"a": math.inf, "b": 1.0}])
def test_batch_that_says_nothing_moves_nothing(losses: dict[str, float]) -> None:
    weighting = build_weighting("druw", ("a", "b"), initial_alpha=0.5, balance=LEARNT)
    with torch.no_grad():
        weighting.balance.logit.fill_(1.0)  # the prior alone would pull it back
    weighting(tensors(losses))[0].backward()
    assert weighting.balance.logit.grad == 0


def test_checkpoint_of_another_balance_is_refused() -> None:
    plain, learnt = build_weighting("druw", TASKS), build_weighting("druw", TASKS, balance=LEARNT)
    with pytest.raises(RuntimeError, match=r"Missing key.*balance\.logit"):
        learnt.load_state_dict(plain.state_dict())
    with pytest.raises(RuntimeError, match=r"Unexpected key.*balance\.logit"):
        plain.load_state_dict(learnt.state_dict())
