"""What holds for every weighting and every set of tasks."""

import math

import pytest
import torch
from weighting_cases import CASES, LEARNT, TASK_SETS, build, make_losses

from espnet2_ext.mtl.weighting import AbsWeighting, build_weighting

each_case = pytest.mark.parametrize("case", CASES)
each_learnt_case = pytest.mark.parametrize("case", LEARNT)
each_task_set = pytest.mark.parametrize("tasks", TASK_SETS, ids=len)
THREE = TASK_SETS[1]


def train(weighting: AbsWeighting, tasks: tuple[str, ...], steps: int, lr: float = 0.05) -> float:
    """Take steps in the order of time only; return the last total."""
    parameters = list(weighting.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=lr) if parameters else None
    for step in range(steps):
        losses = make_losses(tasks, step)
        total, _ = weighting(losses)
        if optimizer:
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
        weighting.on_epoch_end({task: loss.item() for task, loss in losses.items()})
    return total.item()


@each_case
@each_task_set
def test_finite_and_non_negative(case: str, tasks: tuple[str, ...]) -> None:
    weighting = build(case, tasks)
    assert math.isfinite(train(weighting, tasks, 20))
    losses = make_losses(tasks, 99)
    total, weights = weighting(losses)
    total.backward()
    assert tuple(weights) == tasks
    assert all(weight >= 0 and weight.isfinite() and weight.shape == () for weight in weights.values())
    assert all(loss.grad.isfinite() for loss in losses.values())
    assert all(value.isfinite() and value.shape == () for value in weighting.stats().values())
    assert not any(value.requires_grad for value in weighting.stats().values())
    if case.startswith(("ruw", "rruw", "druw")):
        assert total.item() >= 0


@each_case
@each_task_set
def test_equal_losses_are_treated_equally(case: str, tasks: tuple[str, ...]) -> None:
    if case == "static":
        pytest.skip("static weights differ by choice")
    weighting = build(case, tasks)
    for level in (1.0, 0.7, 0.6):
        total, weights = weighting({task: torch.tensor(level) for task in tasks})
        if list(weighting.parameters()):
            weighting.zero_grad()
            total.backward()
            with torch.no_grad():
                for parameter in weighting.parameters():
                    parameter -= 0.1 * parameter.grad
        weighting.on_epoch_end(dict.fromkeys(tasks, level))
    first = weights[tasks[0]].item()
    assert [weight.item() for weight in weights.values()] == pytest.approx([first] * len(tasks), rel=1e-6)
    if case in ("equal", "dwa", "dwa-iteration"):
        assert first == pytest.approx(1)
    if case == "softmax":
        assert first == pytest.approx(1 / len(tasks))


@each_case
def test_order_of_tasks_does_not_matter(case: str) -> None:
    tasks, other = TASK_SETS[2], ("age", "culture", "type", "two", "high")
    one, two = build(case, tasks), build(case, other)
    assert train(one, tasks, 5) == pytest.approx(train(two, other, 5), rel=1e-6)
    total, weights = one(make_losses(tasks, 7))
    other_total, other_weights = two(make_losses(other, 7))
    assert total.item() == pytest.approx(other_total.item(), rel=1e-6)
    for task in tasks:
        assert weights[task].item() == pytest.approx(other_weights[task].item(), rel=1e-6)


@each_case
def test_state_survives_a_checkpoint_in_any_order_of_tasks(case: str, tmp_path: object) -> None:
    tasks, other = THREE, ("age", "emotion", "country")
    trained = torch.nn.ModuleDict({"weighting": build(case, tasks)})
    train(trained["weighting"], tasks, 4)
    torch.save(trained.state_dict(), f"{tmp_path}/model.pth")
    resumed = torch.nn.ModuleDict({"weighting": build(case, other)})
    resumed.load_state_dict(torch.load(f"{tmp_path}/model.pth", weights_only=True))
    for step in (5, 6, 7):  # the history has to go on as well
        totals = [m["weighting"](make_losses(tasks, step))[0].item() for m in (trained, resumed)]
        assert totals[0] == pytest.approx(totals[1], rel=1e-6)
        for module in (trained, resumed):
            module["weighting"].on_epoch_end({task: loss.item() for task, loss in make_losses(tasks, step).items()})
    if case not in ("equal", "static"):
        assert any(key.endswith(".emotion") for key in trained.state_dict())


@pytest.mark.parametrize("case", [*LEARNT, "dwa"])
def test_checkpoint_of_other_tasks_is_refused(case: str) -> None:
    state = build(case, THREE).state_dict()
    for others in (("emotion", "country", "sex"), ("emotion", "country"), (*THREE, "sex")):
        with pytest.raises(RuntimeError, match=r"(Missing|Unexpected) key"):
            build(case, others).load_state_dict(state)


def test_lenient_load_takes_the_tasks_that_are_there() -> None:
    trained = build_weighting("uw", ("a", "b"), initial_alpha={"a": 0.5, "b": 3.0})
    weighting = build_weighting("uw", ("b", "c"))
    result = weighting.load_state_dict(trained.state_dict(), strict=False)
    assert result.unexpected_keys == ["log_alpha2.a"]
    assert result.missing_keys == ["log_alpha2.c"]
    assert {name: value.item() for name, value in weighting.stats().items()} == pytest.approx(
        {"alpha_b": 3.0, "alpha_c": 1.0}
    )


@each_learnt_case
@each_task_set
def test_every_parameter_gets_a_gradient_and_moves(case: str, tasks: tuple[str, ...]) -> None:
    if case == "softmax" and len(tasks) == 1:
        pytest.skip("the softmax of one number is 1")
    weighting = build(case, tasks)
    before = {name: value.clone() for name, value in weighting.state_dict().items()}
    total, _ = weighting(make_losses(tasks))
    total.backward()
    assert all((parameter.grad != 0).all() for parameter in weighting.parameters())
    assert all(parameter._no_weight_decay for parameter in weighting.parameters())
    torch.optim.AdamW(weighting.parameters(), lr=0.01, weight_decay=0.0).step()
    learnt = [name for name in before if not name.startswith("history") and name != "balance.epochs_done"]
    assert len(learnt) == len(tasks) + (case == "druw-learnt")
    assert all(weighting.state_dict()[name] != before[name] for name in learnt)


@each_case
def test_state_is_float32_of_fixed_shape(case: str) -> None:
    weighting = build(case, THREE)
    shapes = {name: (value.shape, value.dtype) for name, value in weighting.state_dict().items()}
    train(weighting, THREE, 3)
    assert {name: (value.shape, value.dtype) for name, value in weighting.state_dict().items()} == shapes
    assert all(dtype == torch.float32 for _, dtype in shapes.values())


@each_case
def test_mixed_precision_runs_in_float32(case: str) -> None:
    one, two = build(case, THREE), build(case, THREE)
    half = {task: loss.detach().bfloat16() for task, loss in make_losses(THREE).items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total, weights = one(half)
    expected, expected_weights = two({task: loss.float() for task, loss in half.items()})
    assert total.dtype == torch.float32
    assert total.item() == expected.item()
    assert weights == expected_weights
    assert all(weight.dtype == torch.float32 for weight in weights.values())


def test_registry_holds_what_the_cases_cover() -> None:
    from espnet2_ext.mtl.weighting import WEIGHTINGS

    assert {name for name, _ in CASES.values()} == set(WEIGHTINGS)
    assert set(WEIGHTINGS) >= {"equal", "static", "uw", "ruw", "rruw", "dwa", "druw", "softmax", "ruwl"}
