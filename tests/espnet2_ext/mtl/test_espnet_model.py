"""The model's loss against numpy, missing labels, units, and number formats."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.weighting import WEIGHTINGS
from espnet2_ext.train.step_stats import StepStats

SPEC = {
    "tasks": [
        {"name": "emotion", "type": "regression", "dimensions": ["a", "b", "c"], "activation": "sigmoid", "exit": 2},
        {"name": "age", "type": "regression", "dimensions": ["years"], "loss": "l1", "normalise": True, "exit": 1},
        {"name": "type", "type": "classification", "classes": ["x", "y", "z"], "exit": 2},
    ]
}
STATS = {"age": {"mean": [27.0], "std": [5.0]}}
WEIGHTS = {"emotion": 1.0, "age": 0.2, "type": 0.5}


def make_model(weighting: str = "static", **config: Any) -> ESPnetMTLModel:
    torch.manual_seed(0)
    conf = {"weights": WEIGHTS} if weighting == "static" else {}
    return build_model(
        {
            "task_spec": SPEC, "input_size": 8, "encoder": "multi_exit_cnn",
            "encoder_conf": {"channels": [8, 8], "norm": "group"}, "normalize": None, "normalize_conf": {},
            "weighting": weighting, "weighting_conf": conf, "head_conf": {}, "channels_last": True,
            "compile_encoder": False,
        } | config,
        STATS,
    )  # fmt: skip


def make_batch(rows: int = 6) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "feats": torch.randn(rows, 20, 8, generator=generator),
        "emotion": torch.rand(rows, 3, generator=generator),
        "age": 20 + 15 * torch.rand(rows, 1, generator=generator),
        "type": torch.randint(0, 3, (rows,), generator=generator),
    }


def numpy_losses(outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, float]:
    """1 - CCC (population moments), mean |error| of standardised ages, cross entropy; labelled entries only."""
    x, y = (t.detach().double().numpy() for t in (outputs["emotion"], batch["emotion"]))
    dims = []
    for d in range(3):
        there = ~np.isnan(y[:, d])
        if there.any():
            p, t = x[there, d], y[there, d]
            dims.append(
                1 - 2 * np.mean((p - p.mean()) * (t - t.mean())) / (p.var() + t.var() + (p.mean() - t.mean()) ** 2)
            )
    age, years = outputs["age"].detach().double().numpy(), batch["age"].double().numpy()
    logits, classes = outputs["type"].detach().double().numpy(), batch["type"].numpy()
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    known = classes >= 0
    return {
        "emotion": float(np.mean(dims)) if dims else math.nan,
        "age": float(np.nanmean(np.abs(age - (years - 27) / 5))),
        "type": float(-log_p[known, classes[known]].mean()) if known.any() else math.nan,
    }


def partial_batch() -> dict[str, Tensor]:
    batch = make_batch()
    batch["emotion"][0] = math.nan
    batch["emotion"][3, 1] = math.nan
    batch["emotion"][:, 2] = math.nan
    batch["age"][1:3] = math.nan
    batch["type"][[0, 5]] = -1
    return batch


@pytest.mark.parametrize("batch", [make_batch(), partial_batch()], ids=["all labels", "some labels"])
@pytest.mark.parametrize("training", [True, False])
def test_total_is_the_weighted_sum_by_hand(batch: dict[str, Tensor], training: bool) -> None:
    model = make_model().double().train(training)
    loss, stats, rows = model(**batch)
    expected = numpy_losses(model.outputs(batch["feats"]), batch)
    assert loss.item() == pytest.approx(sum(WEIGHTS[name] * value for name, value in expected.items()), rel=1e-6)
    for name, value in expected.items():
        assert stats[f"loss_{name}"].item() == pytest.approx(value, rel=1e-6)
        assert stats[f"weight_{name}"].item() == pytest.approx(WEIGHTS[name])
    assert stats["loss"].item() == loss.item()
    assert rows.item() == 6
    assert not any(value.requires_grad for value in stats.values())
    assert all(value.dim() == 0 for value in stats.values())


def output_gradients(model: ESPnetMTLModel, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gradient of the total by each task's raw outputs."""
    outputs = {name: value.detach().requires_grad_() for name, value in model.outputs(batch["feats"]).items()}
    losses, present = model.task_losses(outputs, batch)
    model.weighting(losses, present)[0].backward()
    return {name: value.grad for name, value in outputs.items()}


@pytest.mark.parametrize("weighting", sorted(WEIGHTINGS))
def test_what_has_no_label_has_no_gradient(weighting: str) -> None:
    batch = partial_batch()
    gradients = output_gradients(make_model(weighting), batch)
    for name in ("emotion", "age"):
        missing = batch[name].isnan()
        assert torch.equal(gradients[name][missing], torch.zeros(int(missing.sum())))
        assert (gradients[name][~missing] != 0).all()
    assert not gradients["type"][[0, 5]].any()
    assert gradients["type"][1:5].all()


@pytest.mark.parametrize("weighting", sorted(WEIGHTINGS))
def test_absent_task(weighting: str) -> None:
    """Its head gets a gradient, as data-parallel training wants, and it is exactly zero; no loss, no weight to log."""
    model, batch = make_model(weighting).train(), make_batch()
    batch["emotion"][:] = math.nan
    batch["type"][:] = -1
    loss, stats, _ = model(**batch)
    loss.backward()
    for name in ("emotion", "type"):
        for parameter in model.heads[name].parameters():
            assert parameter.grad is not None
            assert not parameter.grad.any()
        assert stats[f"loss_{name}"].isnan()
        assert stats[f"weight_{name}"].isnan()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.heads["age"].layers[-1].weight.grad.any()


@pytest.mark.parametrize("level", ["tasks", "dimensions"])
def test_logged_weight_is_a_mean_over_batches_with_a_label(level: str) -> None:
    """Three of four batches have no label of emotion, or of its second dimension; where it has, the weight is 1."""
    inner = {"dimension_weighting": "equal", "dimension_weighting_conf": {}} if level == "dimensions" else {}
    model, stats = make_model(**inner).train(), StepStats("cpu")
    for step in range(4):
        batch = make_batch()
        if step != 2:
            batch["emotion"][:, slice(None) if level == "tasks" else 1] = math.nan
        stats.add(model(**batch)[1])
    found = stats.interval()
    assert found["weight_emotion"] == (1.0, 1 if level == "tasks" else 4)
    assert found["weight_age"] == (pytest.approx(0.2), 4)
    if level == "dimensions":
        assert [found[f"weight_emotion_{d}"] for d in "abc"] == [(1.0, 4), (1.0, 1), (1.0, 4)]


def test_no_label_at_all() -> None:
    model, batch = make_model("druw").train(), make_batch()
    batch["emotion"][:], batch["age"][:], batch["type"][:] = math.nan, math.nan, -1
    loss, stats, _ = model(**batch)
    loss.backward()
    assert loss.isfinite()
    assert not any(p.grad.any() for name, p in model.named_parameters() if not name.startswith("weighting."))
    assert all(stats[f"loss_{name}"].isnan() for name in model.spec.names)


def test_reports_are_in_units() -> None:
    model, batch = make_model().eval(), make_batch()
    outputs = model.outputs(batch["feats"])
    report = model.report(outputs)
    torch.testing.assert_close(report["age"], outputs["age"] * 5 + 27)
    torch.testing.assert_close(report["type"].sum(1), torch.ones(6))
    torch.testing.assert_close(report["emotion"], outputs["emotion"])
    assert (report["emotion"] > 0).all()
    assert (report["emotion"] < 1).all()


def test_padded_rows_are_as_if_alone() -> None:
    model, batch = make_model().double().eval(), make_batch()
    lengths = torch.tensor([20, 13, 9, 20, 4, 1])
    together = model.outputs(batch["feats"], lengths)
    for row, length in enumerate(lengths):
        alone = model.outputs(batch["feats"][row : row + 1, :length])
        for name in alone:
            torch.testing.assert_close(together[name][row : row + 1], alone[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("weighting", sorted(WEIGHTINGS))
def test_bfloat16_autocast_has_float32_losses(weighting: str) -> None:
    model, batch = make_model(weighting).train(), partial_batch()
    plain, _, _ = model(**batch)
    with torch.autocast("cpu", torch.bfloat16):
        assert model.outputs(batch["feats"])["age"].dtype == torch.bfloat16
        loss, stats, _ = model(**batch)
    assert loss.dtype == torch.float32
    assert all(value.dtype == torch.float32 for value in stats.values())
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    assert loss.item() == pytest.approx(plain.item(), abs=0.05)


def test_class_weights_balanced_are_those_of_scikit_learn() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    counts = {"x": 7, "y": 1, "z": 12}
    labels = np.repeat(["x", "y", "z"], list(counts.values()))
    tasks = [*SPEC["tasks"][:2], SPEC["tasks"][2] | {"loss_conf": {"class_weights": "balanced"}}]
    conf = {
        "task_spec": {"tasks": tasks}, "input_size": 8, "encoder": "multi_exit_cnn",
        "encoder_conf": {"channels": [8, 8]}, "normalize": None, "normalize_conf": {}, "weighting": "equal",
        "weighting_conf": {}, "head_conf": {}, "channels_last": False, "compile_encoder": False,
    }  # fmt: skip
    model = build_model(conf, STATS | {"type": {"counts": counts}})
    expected = compute_class_weight("balanced", classes=np.array(["x", "y", "z"]), y=labels)
    np.testing.assert_allclose(model.losses["type"].class_weights.numpy(), expected, rtol=1e-6)
    assert model.spec.to_dict()["tasks"][2]["loss_conf"]["class_weights"] == pytest.approx(expected.tolist())


def test_collect_feats_hands_them_through() -> None:
    feats, lengths = torch.ones(1, 2, 8), torch.tensor([2])
    collected = make_model().collect_feats(feats, lengths, age=torch.ones(1, 1))
    assert collected.keys() == {"feats", "feats_lengths"}
    assert collected["feats"] is feats
