"""Tasks without a label in the batch, and histories with gaps."""

import math

import pytest
import torch
from weighting_cases import CASES, LEARNT, build, make_losses

from espnet2_ext.mtl.weighting import build_weighting

TASKS = ("emotion", "country", "age")
ONE_ABSENT = torch.tensor([True, False, True])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("how", ["masked", "left out", "nan"])
def test_absent_task_gives_nothing_and_gets_nothing(case: str, how: str) -> None:
    weighting = build(case, TASKS)
    losses = make_losses(TASKS)
    if how == "nan":
        losses["country"] = torch.tensor(math.nan, requires_grad=True)
    if how == "left out":
        del losses["country"]
    total, weights = weighting(losses, None if how == "left out" else ONE_ABSENT)
    total.backward()
    assert total.isfinite()
    assert weights["country"] == 0
    assert weights["emotion"] > 0
    if how != "left out":
        assert losses["country"].grad == 0
    for parameter in weighting.parameters():
        assert parameter.grad.isfinite().all()
        if parameter.ndim == 0:  # of all tasks together
            assert parameter.grad != 0
            continue
        assert parameter.grad[1] == 0
        assert (parameter.grad[[0, 2]] != 0).all()


@pytest.mark.parametrize("case", CASES)
def test_absent_task_does_not_change_the_others(case: str) -> None:
    _, full = build(case, TASKS)(make_losses(TASKS))
    _, weights = build(case, TASKS)(make_losses(TASKS), ONE_ABSENT)
    assert weights["emotion"].item() == pytest.approx(full["emotion"].item())
    assert weights["age"].item() == pytest.approx(full["age"].item())


@pytest.mark.parametrize("case", ["uw", "ruw", "uw-released", "ruw-printed"])
def test_total_is_that_of_the_present_tasks(case: str) -> None:
    conf = {"initial_alpha": 1.3}
    losses = make_losses(TASKS)
    total, _ = build(case, TASKS, **conf)(losses, ONE_ABSENT)
    # Absent tasks still count in K of the released form, so the reference keeps them and drops terms by hand.
    full, _ = build(case, TASKS, **conf)(losses)
    only_country, _ = build(case, TASKS, **conf)({"country": losses["country"]})
    assert total.item() == pytest.approx(full.item() - only_country.item(), rel=1e-5)


def test_restraint_counts_absent_tasks_as_constants() -> None:
    weighting = build_weighting("rruw", ("a", "b"), initial_alpha={"a": 2.0, "b": 3.0}, phi=5.0)
    total, _ = weighting({"a": torch.tensor(1.0)})
    total.backward()
    expected = 0.25 + math.log(5) + abs(5 - math.log(2) - math.log(3))
    assert total.item() == pytest.approx(expected, rel=1e-6)
    # d/ds: logistic(s) - exp(-s) L - 1/2 of the restraint, for a alone.
    assert weighting.log_alpha2.grad.tolist() == pytest.approx([0.8 - 0.25 - 0.5, 0.0], rel=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_batch_without_any_label_has_zero_gradient(case: str) -> None:
    weighting = build(case, TASKS)
    losses = make_losses(TASKS)
    total, weights = weighting(losses, torch.zeros(3, dtype=torch.bool))
    total.backward()
    assert total.isfinite()
    assert all(weight == 0 for weight in weights.values())
    assert all(loss.grad == 0 for loss in losses.values())
    # Connected all the same: DistributedDataParallel waits for every parameter.
    assert all((parameter.grad == 0).all() for parameter in weighting.parameters())


@pytest.mark.parametrize("case", LEARNT)
def test_weight_of_a_long_absent_task_stays(case: str) -> None:
    weighting = build(case, TASKS)
    before = weighting(make_losses(TASKS))[1]["country"].item()
    optimizer = torch.optim.AdamW(weighting.parameters(), lr=0.1, weight_decay=0.0)
    if "iteration" in case:
        weighting.eval()  # lambda moves with the others' losses; this is about what is learnt
    for step in range(50):
        optimizer.zero_grad()
        weighting(make_losses(TASKS, step), ONE_ABSENT)[0].backward()
        optimizer.step()
    after = weighting(make_losses(TASKS))[1]["country"].item()
    if case == "druw-learnt":  # the balance moves with the others' losses, what is learnt of the task does not
        assert weighting.stats()["alpha_country"].item() == pytest.approx(0.7, rel=1e-6)
        assert weighting.stats()["balance"].item() != 0.5
    elif case != "softmax":  # a share falls or rises as the others' do
        assert after == pytest.approx(before, rel=1e-6)


def lambdas(weighting: torch.nn.Module) -> dict[str, float]:
    return {name: value.item() for name, value in weighting.stats().items()}


@pytest.mark.parametrize("gap", [{}, {"b": math.nan}, {"b": math.inf}])
def test_missing_epoch_mean_keeps_the_history(gap: dict[str, float]) -> None:
    weighting = build_weighting("dwa", ("a", "b"), temperature=1.0)
    weighting.on_epoch_end({"a": 4.0, "b": 2.0})
    weighting.on_epoch_end({"a": 2.0, "b": 1.8})
    weighting.on_epoch_end({"a": 3.0, **gap})
    # a: 3 / 2; b still 1.8 / 2.
    first = 2 / (1 + math.exp(0.9 - 1.5))
    assert lambdas(weighting) == pytest.approx({"lambda_a": first, "lambda_b": 2 - first}, rel=1e-6)


def test_task_that_comes_late_counts_as_unchanged() -> None:
    weighting = build_weighting("dwa", ("a", "b"), temperature=1.0)
    for mean in (4.0, 2.0):
        weighting.on_epoch_end({"a": mean})
    first = 2 / (1 + math.exp(1 - 0.5))
    assert lambdas(weighting)["lambda_a"] == pytest.approx(first, rel=1e-6)


@pytest.mark.parametrize(("old", "new"), [(0.0, 1.0), (0.0, 0.0), (-1.0, 1.0), (1e-45, 3e38)])
def test_quotient_that_is_no_number_counts_as_one(old: float, new: float) -> None:
    weighting = build_weighting("dwa", ("a", "b"))
    weighting.on_epoch_end({"a": old, "b": 1.0})
    weighting.on_epoch_end({"a": new, "b": 1.0})
    assert lambdas(weighting) == pytest.approx({"lambda_a": 1.0, "lambda_b": 1.0})


def test_history_by_iteration_skips_absent_and_broken_losses() -> None:
    weighting = build_weighting("dwa", ("a", "b"), temperature=1.0, step="iteration")
    for a, b, present in [(4.0, 2.0, [1, 1]), (9.0, 1.0, [0, 1]), (2.0, math.nan, [1, 1])]:
        weighting({"a": torch.tensor(a), "b": torch.tensor(b)}, torch.tensor(present, dtype=torch.bool))
    # a: 2 / 4, b: 1 / 2.
    assert lambdas(weighting) == pytest.approx({"lambda_a": 1.0, "lambda_b": 1.0})
    assert weighting.history.latest.tolist() == [2.0, 1.0]
    assert weighting.history.previous.tolist() == [4.0, 2.0]


def test_iteration_history_does_not_disturb_the_backward_pass() -> None:
    weighting = build_weighting("dwa", ("a", "b"), step="iteration")
    x = torch.tensor(2.0, requires_grad=True)
    for _ in range(3):
        total, weights = weighting({"a": x, "b": x * x})
    total.backward()
    assert x.grad.item() == pytest.approx(weights["a"].item() + 4 * weights["b"].item(), rel=1e-6)
