"""The weighting across dimensions: by hand in float64, and what holds for every weighting on this level."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from weighting_cases import CASES, LEARNT

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.task_losses import DimensionLosses
from espnet2_ext.mtl.task_spec import Task
from espnet2_ext.mtl.weighting import build_weighting
from espnet2_ext.mtl.weighting.dimension_weighting import DimensionWeighting, build_dimension_weighting
from espnet2_ext.train.optimise import parameter_groups

LN2 = math.log(2)
HIGH = Task("high", "regression", dimensions=("a", "b", "c"))
TWO = Task("two", "regression", dimensions=("valence", "arousal"))
KIND = Task("type", "classification", classes=("x", "y"))
AGE = Task("age", "regression", dimensions=("years",))
TASKS = (KIND, HIGH, TWO, AGE)
each_case = pytest.mark.parametrize("case", CASES)


def build(case: str, *tasks: Task) -> DimensionWeighting:
    name, conf = CASES[case]
    if name == "static":
        names = [f"{task.name}_{dimension}" for task in tasks for dimension in task.dimensions]
        conf = {"weights": {loss: 0.5 + index / 10 for index, loss in enumerate(sorted(names))}}
    return DimensionWeighting(tasks, name, conf)


def losses_of(values: dict[str, list[float | None]], dtype: torch.dtype = torch.float64) -> dict[str, DimensionLosses]:
    """None is a dimension without a label."""
    return {
        task: DimensionLosses(
            torch.tensor([value or 0.0 for value in row], dtype=dtype, requires_grad=True),
            torch.tensor([value is not None for value in row]),
        )
        for task, row in values.items()
    }


def weigh(weighting: DimensionWeighting, by_dimension: dict[str, DimensionLosses]) -> tuple[dict[str, Tensor], Any]:
    return weighting({name: torch.tensor(99.0) for name in ("type", *by_dimension)}, by_dimension)


def test_both_levels_by_hand() -> None:
    """Inner RUW with alphas 1/2, 1, 2; outer RUW with alpha 1/2: R(alpha) = log(1 + alpha^2)."""
    alphas = {"high_a": 0.5, "high_b": 1.0, "high_c": 2.0}
    inner = DimensionWeighting([HIGH], "ruw", {"initial_alpha": alphas})
    losses, stats = weigh(inner, losses_of({"high": [1.0, 2.0, 3.0]}))
    combined = (4 * 1 + 1 * 2 + 3 / 4 + math.log(1.25) + LN2 + math.log(5)) / 3
    assert losses["high"].item() == pytest.approx(combined, rel=1e-7)
    assert losses["type"].item() == 99  # of a task without dimensions
    assert [stats[f"weight_high_{d}"].item() for d in "abc"] == pytest.approx([4, 1, 0.25], rel=1e-6)
    assert [stats[f"loss_high_{d}"].item() for d in "abc"] == [1, 2, 3]
    assert [stats[f"alpha_high_{d}"].item() for d in "abc"] == pytest.approx([0.5, 1, 2], rel=1e-6)
    assert stats["combined_high"].item() == losses["high"].item()
    outer = build_weighting("ruw", ("high",), initial_alpha=0.5)
    total, _ = outer({"high": losses["high"]}, None, {"high": torch.tensor(2.0)})
    assert total.item() == pytest.approx(4 * combined + math.log(1.25), rel=1e-7)


def test_absent_dimensions_are_left_out() -> None:
    """The restraint of RRUW counts the absent alpha as a constant: |log .5| + |log 1| + |log 2| = 2 log 2."""
    alphas = {"high_a": 0.5, "high_b": 1.0, "high_c": 2.0}
    inner = DimensionWeighting([HIGH], "rruw", {"initial_alpha": alphas})
    rows = losses_of({"high": [1.0, None, 3.0]})
    losses, stats = weigh(inner, rows)
    expected = (4 * 1 + 3 / 4 + math.log(1.25) + math.log(5) + 2 * LN2 - 1) / 2
    assert losses["high"].item() == pytest.approx(expected, rel=1e-7)
    assert (stats["loss_high_b"].isnan().item(), stats["weight_high_b"].isnan().item()) == (True, True)
    assert stats["restraint_sum_high"].item() == pytest.approx(2 * LN2, rel=1e-6)
    losses["high"].backward()
    assert rows["high"].values.grad.tolist() == pytest.approx([2, 0, 0.125], rel=1e-6)
    assert inner.weightings["high"].log_alpha2.grad[1] == 0


def test_dwa_of_dimensions_by_hand() -> None:
    """Quotients .5 and .9 at T = 2: 2 / (1 + exp(.2)), as for tasks."""
    inner = DimensionWeighting([TWO], "dwa", {"temperature": 2.0})
    for valence, arousal in ((1.0, 2.0), (0.5, 1.8)):
        inner.on_epoch_end({"loss_two_valence": valence, "loss_two_arousal": arousal, "loss_two": math.nan})
    first = 2 / (1 + math.exp(0.2))
    losses, stats = weigh(inner, losses_of({"two": [1.0, 3.0]}))
    assert losses["two"].item() == pytest.approx((first + 3 * (2 - first)) / 2, rel=1e-6)
    assert stats["lambda_two_valence"].item() == pytest.approx(first, rel=1e-6)


def test_softmax_starts_from_the_mean() -> None:
    losses, _ = weigh(DimensionWeighting([HIGH], "softmax", {}), losses_of({"high": [1.0, 2.0, 6.0]}))
    assert losses["high"].item() == pytest.approx(3)
    losses, _ = weigh(DimensionWeighting([HIGH], "softmax", {}), losses_of({"high": [1.0, None, 6.0]}))
    assert losses["high"].item() == pytest.approx(3.5)


def test_history_of_tasks_is_of_unweighted_losses() -> None:
    """DWA by iteration: quotients of what is observed, .5 and 1, and not of the combinations, which are all alike."""
    outer = build_weighting("dwa", ("a", "b"), temperature=2.0, step="iteration")
    same = {"a": torch.tensor(7.0), "b": torch.tensor(7.0)}
    for a in (1.0, 0.5):
        outer(same, None, {"a": torch.tensor(a), "b": torch.tensor(1.0)})
    first = 2 / (1 + math.exp(0.25))
    assert outer(same)[1]["a"].item() == pytest.approx(first, rel=1e-6)


@each_case
def test_finite_and_named(case: str) -> None:
    weighting = build(case, HIGH, TWO)
    rows = losses_of({"high": [0.4, None, 1.9], "two": [0.7, 0.2]}, torch.float32)
    losses, stats = weigh(weighting, rows)
    (losses["high"] + losses["two"]).backward()
    assert all(row.values.grad.isfinite().all() for row in rows.values())
    for name in ("high_a", "high_c", "two_valence", "two_arousal"):
        assert stats[f"weight_{name}"] > 0
        assert stats[f"loss_{name}"] > 0
    assert all(value.shape == () and not value.requires_grad for value in stats.values())
    assert {name for name, value in stats.items() if value.isnan()} == {"loss_high_b", "weight_high_b"}
    assert not any(value.isinf() for value in stats.values())
    nothing, stats = weigh(weighting, losses_of({"high": [None] * 3, "two": [0.7, 0.2]}))
    assert nothing["high"].isfinite()
    assert stats["combined_high"].isnan()


def train(weighting: DimensionWeighting, order: tuple[Task, ...]) -> dict[str, float]:
    """Three steps that depend on the names only; the last losses."""
    optimizer = torch.optim.AdamW([*weighting.parameters(), torch.nn.Parameter(torch.zeros(()))], lr=0.05)
    for step in range(3):
        values = {t.name: [0.3 + (ord(d[0]) * (step + 1) % 7) / 5 for d in t.dimensions] for t in order}
        losses, _ = weigh(weighting, losses_of(values, torch.float32))
        optimizer.zero_grad()
        sum(losses[task.name] for task in order).backward()
        optimizer.step()
        weighting.on_epoch_end(
            {f"loss_{t.name}_{d}": v for t in order for d, v in zip(t.dimensions, values[t.name], strict=True)}
        )
    return {task.name: losses[task.name].item() for task in order}


@each_case
def test_order_does_not_matter_and_state_survives(case: str) -> None:
    other = (Task("two", "regression", dimensions=("arousal", "valence")), Task(
        "high", "regression", dimensions=("c", "a", "b")))  # fmt: skip
    one, two = build(case, HIGH, TWO), build(case, *other)
    assert train(one, (HIGH, TWO)) == pytest.approx(train(two, other), rel=1e-5)
    fresh = build(case, *other)
    fresh.load_state_dict(one.state_dict())
    for name, value in fresh.state_dict().items():
        assert value == pytest.approx(one.state_dict()[name])
    if case not in ("equal", "static"):
        assert any(name.startswith("weightings.high.") and name.endswith(".high_c") for name in one.state_dict())
    rows = {"high": [0.5, 1.5, 0.9], "two": [1.1, 0.6]}
    assert weigh(fresh, losses_of({"high": [0.9, 0.5, 1.5], "two": [0.6, 1.1]}))[0]["high"].item() == pytest.approx(
        weigh(one, losses_of(rows))[0]["high"].item(), rel=1e-6
    )


SPEC = {
    "tasks": [
        {"name": "emotion", "type": "regression", "dimensions": ["a", "b", "c"], "activation": "sigmoid"},
        {"name": "age", "type": "regression", "dimensions": ["years"], "loss": "l1"},
        {"name": "type", "type": "classification", "classes": ["x", "y", "z"]},
    ]
}


def make_model(**config: Any) -> ESPnetMTLModel:
    torch.manual_seed(0)
    return build_model(
        {
            "task_spec": SPEC, "input_size": 4, "encoder": "mlp", "encoder_conf": {}, "normalize": None,
            "normalize_conf": {}, "weighting": "ruw", "weighting_conf": {}, "head_conf": {}, "channels_last": False,
            "compile_encoder": False,
        } | config
    )  # fmt: skip


def make_batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    batch = {"feats": torch.randn(6, 1, 4, generator=generator), "emotion": torch.rand(6, 3, generator=generator),
             "age": 20 + torch.rand(6, 1, generator=generator), "type": torch.tensor([0, 1, 2, -1, 0, 1])}  # fmt: skip
    batch["emotion"][:, 1] = math.nan
    batch["emotion"][2, 0] = math.nan
    return batch


def test_equal_weighting_inside_is_none_at_all() -> None:
    """To the bit: loss, gradients, and what both log."""
    one, two = make_model(), make_model(dimension_weighting="equal")
    results = []
    for model in (one, two):
        loss, stats, _ = model(**make_batch())
        loss.backward()
        results.append((loss, stats, {name: p.grad for name, p in model.named_parameters()}))
    assert torch.equal(results[0][0], results[1][0])
    for name, grad in results[0][2].items():
        assert torch.equal(grad, results[1][2][name]), name
    shared = set(results[0][1])
    assert set(results[1][1]) - shared == {
        "combined_emotion", *(f"{what}_emotion_{d}" for what in ("loss", "weight") for d in "abc"),
    }  # fmt: skip
    for name in shared:
        assert torch.equal(results[0][1][name], results[1][1][name]), name


@pytest.mark.parametrize("case", LEARNT)
def test_parameters_are_in_the_weighting_group_and_move(case: str) -> None:
    name, conf = CASES[case]
    outer = {"weighting": "equal"} if name == "uw" else {}
    model = make_model(dimension_weighting=name, dimension_weighting_conf=conf, **outer)
    groups = parameter_groups(model.named_parameters(), None, 0.05, None)
    group = next(group for group in groups if group["name"] == "weighting")
    inner = list(model.dimension_weighting.parameters())
    assert all(any(parameter is p for p in group["params"]) for parameter in inner)
    assert (group["lr"], group["weight_decay"]) == (0.05, 0.0)
    before = [parameter.clone() for parameter in inner]
    optimizer = torch.optim.AdamW(groups, lr=0.01)
    batch = make_batch()
    batch["emotion"][:, 1] = torch.linspace(0, 1, 6)
    model(**batch)[0].backward()
    optimizer.step()
    for old, new in zip(before, inner, strict=True):
        assert (old != new).all()


def refused(name: str, conf: dict[str, Any], outer: str, *tasks: Task, chosen: tuple[str, ...] = ()) -> str:
    with pytest.raises(UserError) as caught:
        build_dimension_weighting(tasks, name, conf, chosen, build_weighting(outer, [task.name for task in tasks]))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_refused() -> None:
    assert "no such weighting: uwe" in refused("uwe", {}, "equal", *TASKS)
    assert "no such option: phi" in refused("dwa", {"phi": 1}, "equal", *TASKS)
    assert "no such task: high_d" in refused("uw", {"initial_alpha": {"high_d": 2.0}}, "equal", *TASKS)
    assert "runs away" in refused("uw", {}, "druw", *TASKS)
    clash = Task("high_a", "regression", dimensions=("x",))
    assert "two losses are called high_a" in refused("equal", {}, "equal", HIGH, clash)


def test_which_tasks() -> None:
    outer = build_weighting("dwa", [task.name for task in TASKS])
    every = build_dimension_weighting(TASKS, "uw", {}, (), outer)
    assert list(every.weightings) == ["high", "two"]
    some = build_dimension_weighting(TASKS, "uw", {"initial_alpha": {"two_arousal": 0.5, "high_a": 2.0}}, (), outer)
    assert some.weightings["two"].initial_alpha == [1, 0.5]
    assert some.weightings["high"].initial_alpha == [2, 1, 1]
    assert list(build_dimension_weighting(TASKS, "equal", {}, ("two",), outer).weightings) == ["two"]
    assert build_dimension_weighting((KIND, AGE), "equal", {}, (), outer) is None
