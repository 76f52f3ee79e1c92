"""Twins: the losses of two views by hand, the masked view, missing labels, and use of the clean view alone."""

import math

import numpy as np
import pytest
import torch
from twins_case import NAMES, SPEC, TWINS, make_twins, make_twins_batch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.encoder import CNN10, CNN14, ResNet18
from espnet2_ext.mtl.projector import Projector
from espnet2_ext.mtl.twins_options import build_twins
from espnet2_ext.mtl.weighting import WEIGHTINGS


def hand_view(feats: np.ndarray, masks: np.ndarray, n_time: int = 2, lengths: np.ndarray | None = None) -> np.ndarray:
    """Row by row: masked frames and bins get the bin's mean over the valid frames."""
    view = feats.copy()
    for row, row_masks in enumerate(masks):
        length = feats.shape[1] if lengths is None else int(lengths[row])
        mean = feats[row, :length].mean(axis=0)
        for number, (start, stop) in enumerate(row_masks):
            if number < n_time:
                view[row, start:stop] = mean
            else:
                view[row, :length, start:stop] = mean[start:stop]
    return view


@pytest.mark.parametrize("lengths", [None, [24, 20, 12, 24, 13, 24]])
def test_masked_view_by_hand(lengths: list[int] | None) -> None:
    model, batch = make_twins(), make_twins_batch()
    feats, masks = batch["feats"].double() + 3, batch["twin_masks"]
    if lengths is not None:
        for row, length in enumerate(lengths):
            feats[row, length:] = 0
    given = None if lengths is None else torch.tensor(lengths)
    expected = hand_view(feats.numpy(), masks.numpy(), lengths=None if lengths is None else np.array(lengths))
    assert not np.array_equal(expected, feats.numpy())
    np.testing.assert_allclose(model.masked_view(feats, given, masks).numpy(), expected, rtol=1e-12)


def test_masks_filled_with_zero_and_no_masks_at_all() -> None:
    feats, masks = torch.ones(2, 9, 4), torch.tensor([[[1, 3]], [[0, 0]]])
    conf = {"n_time_masks": 1, "n_freq_masks": 0, "fill": "zero"}
    view = make_twins(twins_conf=TWINS | {"spec_augment": conf}).masked_view(feats, None, masks)
    assert not view[0, 1:3].any()
    assert view.sum() == 2 * 9 * 4 - 2 * 4
    none = make_twins(twins_conf=TWINS | {"spec_augment": {"n_time_masks": 0, "n_freq_masks": 0}})
    assert torch.equal(none.masked_view(feats, None, torch.zeros(2, 0, 2, dtype=torch.long)), feats)


def test_losses_are_those_of_plain_models_on_each_view() -> None:
    """A model without twins and with the same weights has, on each view, the losses of that view."""
    model, batch = make_twins(normalize=None).double().train(), make_twins_batch()
    batch["feats"] = batch["feats"].double()
    plain = build_model({
        "task_spec": SPEC, "input_size": 12, "encoder": "multi_exit_cnn",
        "encoder_conf": {"channels": [4, 8], "norm": "group"}, "normalize": None, "normalize_conf": {},
        "weighting": "equal", "weighting_conf": {}, "head_conf": {}, "channels_last": True, "compile_encoder": False,
    }).double().train()  # fmt: skip
    state = {name: value for name, value in model.state_dict().items() if not name.startswith("projector.")}
    plain.load_state_dict(state, strict=True)
    loss, stats, rows = model(**batch)
    masked = torch.from_numpy(hand_view(batch["feats"].numpy(), batch["twin_masks"].numpy()))
    targets = {name: batch[name] for name in plain.spec.names}
    _, clean_stats, _ = plain(batch["feats"], **targets)
    _, masked_stats, _ = plain(masked, **targets)
    for name in plain.spec.names:
        assert stats[f"loss_{name}"].item() == pytest.approx(clean_stats[f"loss_{name}"].item(), rel=1e-9)
        assert stats[f"loss_{name}_twin"].item() == pytest.approx(masked_stats[f"loss_{name}"].item(), rel=1e-9)
        assert stats[f"loss_{name}"].item() != stats[f"loss_{name}_twin"].item()
    layer = model.projector[0]
    one, two = (
        (model.encoder(view)[2] @ layer.weight.T + layer.bias).detach().numpy() for view in (batch["feats"], masked)
    )
    one, two = ((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) for z in (one, two))
    c = one.T @ two / len(one)
    barlow = ((1 - np.diag(c)) ** 2).sum() + 0.001 * ((c**2).sum() - (np.diag(c) ** 2).sum())
    assert stats["loss_barlow_twins"].item() == pytest.approx(barlow, rel=1e-9)
    assert loss.item() == pytest.approx(sum(stats[f"loss_{name}"].item() for name in NAMES), rel=1e-9)
    assert rows.item() == 6


@pytest.mark.parametrize("weighting", sorted(set(WEIGHTINGS) - {"static"}))
def test_every_parameter_has_a_gradient(weighting: str) -> None:
    model = make_twins(weighting).train()
    loss, stats, _ = model(**make_twins_batch())
    loss.backward()
    assert {f"loss_{name}" for name in NAMES} | {f"weight_{name}" for name in NAMES} <= stats.keys()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert model.projector[0].weight.grad.any()


def test_paper_weights_of_ruwl() -> None:
    """lambda / c^2 with lambda 1, 1, 1e-8 and c 1, 1, .01: weights 1, 1 and 1e-4 at the start."""
    conf = {"scales": {"barlow_twins": 1e-8}, "initial_alpha": {"barlow_twins": 0.01}, "phi": 2.0}
    spec = {"tasks": SPEC["tasks"][:1]}
    model = make_twins("ruwl", weighting_conf=conf, task_spec=spec).train()
    _, stats, _ = model(**make_twins_batch())
    weights = [stats[f"weight_{name}"].item() for name in ("emotion", "emotion_twin", "barlow_twins")]
    assert weights == pytest.approx([1.0, 1.0, 1e-4], rel=1e-5)
    assert stats["restraint_sum"].item() == pytest.approx(2.01, rel=1e-6)


def test_rows_without_labels_still_train_the_projector() -> None:
    model, batch = make_twins("ruwl").train(), make_twins_batch()
    batch["emotion"][:], batch["age"][:], batch["country"][:] = math.nan, math.nan, -1
    loss, stats, _ = model(**batch)
    loss.backward()
    assert all(stats[f"loss_{name}"].isnan() == (name != "barlow_twins") for name in NAMES)
    assert model.encoder.blocks[0].conv1.weight.grad.any()
    assert not any(p.grad.any() for p in model.heads.parameters())
    gradients = model.weighting.log_alpha2.grad
    assert gradients[-1] != 0
    assert not gradients[:-1].any()


def test_evaluation_takes_the_clean_view_alone() -> None:
    model, batch = make_twins("druw").eval(), make_twins_batch()
    with_masks = model(**batch)[1]
    del batch["twin_masks"]
    loss, stats, _ = model(**batch)
    assert stats["loss"] == with_masks["loss"] == loss
    assert stats["loss_emotion"].isfinite()
    assert stats["loss_emotion_twin"].isnan()
    assert stats["loss_barlow_twins"].isnan()
    before = model.outputs(batch["feats"])
    for parameter in model.projector.parameters():
        parameter.data.fill_(math.nan)
    assert all(torch.equal(value, before[name]) for name, value in model.outputs(batch["feats"]).items())


def test_bfloat16_autocast_has_float32_losses() -> None:
    model, batch = make_twins("druw").train(), make_twins_batch()
    plain = model(**batch)[1]
    with torch.autocast("cpu", torch.bfloat16):
        loss, stats, _ = model(**batch)
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(value.dtype == torch.float32 for value in stats.values())
    assert all(p.grad.isfinite().all() for p in model.parameters())
    for name in NAMES:
        assert stats[f"loss_{name}"].item() == pytest.approx(plain[f"loss_{name}"].item(), rel=0.05, abs=0.02)


# Table 2 of the paper, in millions, with and without twins.
@pytest.mark.parametrize(
    ("encoder", "plain", "twins"), [(ResNet18, 11.18, 12.23), (CNN10, 4.95, 6.00), (CNN14, 79.69, 83.95)]
)
def test_parameter_counts_of_the_paper(encoder: type, plain: float, twins: float) -> None:
    with torch.device("meta"):
        network = encoder(64, [None])
        projector = Projector(network.output_size(1), build_twins({}).projector)
    head = (network.output_size(1) + 1) * 10
    count = sum(p.numel() for p in network.parameters()) + head
    assert count / 1e6 == pytest.approx(plain, rel=0.01)
    assert (count + sum(p.numel() for p in projector.parameters())) / 1e6 == pytest.approx(twins, rel=0.01)


def test_defaults_are_the_papers() -> None:
    options = build_twins(None)
    assert list(options.projector) == [2048]
    assert options.off_diagonal_weight == 0.001
    masks = options.spec_augment
    assert (masks.n_time_masks, masks.max_time_frames, masks.n_freq_masks, masks.max_freq_bins) == (2, 64, 2, 8)
    assert masks.max_time_fraction == 1.0
    assert build_twins({"spec_augment": {"max_freq_bins": 4}}).spec_augment.max_time_frames == 64


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({"twins_conf": {"projectors": [8]}}, "no such option: projectors; its options are: projector"),
        ({"twins_conf": {"projector": []}}, "no list of widths"),
        ({"twins_conf": {"projector": [True]}}, "no list of widths"),
        ({"twins_conf": {"off_diagonal_weight": -0.1}}, "below 0"),
        ({"twins_conf": {"off_diagonal_weight": "x"}}, "must be a number"),
        ({"twins_conf": {"spec_augment": [1]}}, "is a mapping"),
        ({"twins_conf": {"spec_augment": {"time": 3}}}, "no such option: time"),
        ({"twins_conf": {"spec_augment": {"max_freq_bins": -3}}}, "max_freq_bins -3"),
        ({"twins": False}, "set twins: true"),
        ({"weighting": "static", "weighting_conf": {"weights": {"emotion": 1.0, "age": 1.0, "country": 1.0}}},
         "give a value for: emotion_twin"),
        ({"task_spec": {"tasks": [SPEC["tasks"][0] | {"name": "barlow_twins"}]}}, "rename the task"),
        ({"task_spec": {"tasks": [SPEC["tasks"][1], SPEC["tasks"][1] | {"name": "age_twin"}]}}, "rename the task"),
    ],
)  # fmt: skip
def test_impossible_options_are_one_line(conf: dict, expected: str) -> None:
    with pytest.raises(UserError, match=expected) as caught:
        make_twins(**conf)
    assert "\n" not in str(caught.value)
