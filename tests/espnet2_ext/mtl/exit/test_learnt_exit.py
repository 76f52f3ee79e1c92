"""Exits: the mixture by hand, what its gradient reaches, what it reports, and where there is nothing to mix."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.exit import LearntExit
from espnet2_ext.report.exits import ChosenExit
from espnet2_ext.train.checkpoint import load, load_state, save


def make_model(exits: dict[str, Any], channels: tuple[int, ...] = (4, 6, 8), **config: Any) -> ESPnetMTLModel:
    torch.manual_seed(0)
    age = {"name": "age", "type": "regression", "dimensions": ["years"], "loss": "l1", "exit": exits["age"]}
    kind = {"name": "type", "type": "classification", "classes": ["x", "y", "z"], "exit": exits["type"]}
    return build_model(
        {
            "task_spec": {"tasks": [age, kind]}, "input_size": 8, "encoder": "multi_exit_cnn",
            "encoder_conf": {"channels": list(channels)}, "normalize": None, "normalize_conf": {},
            "weighting": "equal", "weighting_conf": {}, "head_conf": {}, "exit_conf": {"width": 5},
            "channels_last": True, "compile_encoder": False,
        } | config
    )  # fmt: skip


def batch(rows: int = 6) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "feats": torch.randn(rows, 20, 8, generator=generator),
        "age": torch.rand(rows, 1, generator=generator),
        "type": torch.randint(0, 3, (rows,), generator=generator),
    }


def hand_mixture(mixture: LearntExit, embeddings: dict[int, torch.Tensor]) -> np.ndarray:
    """Mixture in float64: softmax over the logits, of projections with mean 0 and deviation 1 over their width."""
    logit = mixture.logit.detach().double().numpy()
    shares = np.exp(logit) / np.exp(logit).sum()
    total = np.zeros((len(next(iter(embeddings.values()))), mixture.output_size))
    for number, share, layer in zip(sorted(embeddings), shares, mixture.projections, strict=True):
        weight, bias = (p.detach().double().numpy() for p in (layer.weight, layer.bias))
        x = embeddings[number].detach().double().numpy() @ weight.T + bias
        total += share * (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    return total


def test_mixture_by_hand() -> None:
    torch.manual_seed(3)
    mixture = LearntExit({2: 6, 1: 4, 3: 8}, width=5)
    assert mixture.output_size == 5
    torch.testing.assert_close(mixture.shares(), torch.full((3,), 1 / 3))
    mixture.logit.data = torch.tensor([0.4, -1.0, 0.9])
    embeddings = {number: torch.randn(7, size) for number, size in ((3, 8), (1, 4), (2, 6))}
    np.testing.assert_allclose(mixture(embeddings).detach().numpy(), hand_mixture(mixture, embeddings), atol=1e-5)
    p = np.exp([0.4, -1.0, 0.9]) / np.exp([0.4, -1.0, 0.9]).sum()
    stats = {name: value.item() for name, value in mixture.stats("age").items()}
    assert list(stats) == ["exit_age_1", "exit_age_2", "exit_age_3", "depth_age"]
    assert list(stats.values()) == pytest.approx([*p, p[0] + 2 * p[1] + 3 * p[2]], rel=1e-6)


def test_depth_is_of_the_exits_numbers() -> None:
    """Of the exits 2, 6 and 12, as of stored hidden states: .5 * 2 + .3 * 6 + .2 * 12."""
    mixture = LearntExit({6: 4, 2: 4, 12: 4}, width=5)
    mixture.logit.data = torch.tensor([0.5, 0.3, 0.2]).log()
    stats = mixture.stats("age")
    assert list(stats) == ["exit_age_2", "exit_age_6", "exit_age_12", "depth_age"]
    assert stats["depth_age"].item() == pytest.approx(5.2, rel=1e-6)
    assert list(mixture.state_dict()) == list(make_model({"age": "learnt", "type": 1}).exits["age"].state_dict())
    choice = ChosenExit("age", 1, {2: 0.2, 6: 0.3, 12: 0.5}, 8.2)
    assert choice.text == "age: exit 12 of 12, share 0.50, expected depth 8.20"


def test_scale_of_a_projection_does_not_stand_in_for_its_share() -> None:
    mixture = LearntExit({1: 4, 2: 6}, width=5).double()
    embeddings = {number: torch.randn(3, size, dtype=torch.float64) for number, size in ((1, 4), (2, 6))}
    before = mixture(embeddings)
    with torch.no_grad():
        for parameter in mixture.projections[0].parameters():
            parameter.mul_(100)
    torch.testing.assert_close(mixture(embeddings), before, rtol=1e-3, atol=1e-4)


def touched(model: ESPnetMTLModel, task: str) -> set[str]:
    """Parts of the encoder that get a gradient from the loss of one task."""
    model.zero_grad()
    losses = model.batch_losses(batch()["feats"], None, batch()).by_task
    losses[task].backward()
    return {
        ".".join(name.split(".")[:2])
        for name, p in model.encoder.named_parameters()
        if p.grad is not None and p.grad.any()
    }


def test_gradient_of_a_fixed_exit_stops_there_and_of_a_learnt_one_reaches_all() -> None:
    blocks = {"blocks.0", "blocks.1", "blocks.2"}
    layers = {"exit_layers.1", "exit_layers.2", "exit_layers.3"}
    assert touched(make_model({"age": 1, "type": 3}).train(), "age") == {"blocks.0", "exit_layers.1"}
    model = make_model({"age": 1, "type": "learnt"}).train()
    assert touched(model, "age") == {"blocks.0", "exit_layers.1"}
    assert touched(model, "type") == blocks | layers
    assert model.exits["type"].logit.grad.abs().min() > 0


def test_every_parameter_has_a_gradient_also_without_a_label() -> None:
    model, data = make_model({"age": "learnt", "type": "learnt"}).train(), batch()
    data["type"][:] = -1
    loss, stats, _ = model(**data)
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert not model.exits["type"].logit.grad.any()
    assert model.exits["age"].logit.grad.any()
    assert stats["depth_age"].item() == pytest.approx(2.0)
    assert not any(value.requires_grad or value.dim() for value in stats.values())


def test_model_takes_the_mixture_and_shares_survive_a_checkpoint(tmp_path: Path) -> None:
    model = make_model({"age": "learnt", "type": 2}).eval()
    model.exits["age"].logit.data = torch.tensor([0.3, 2.0, -1.0])
    save(model.state_dict(), tmp_path / "model.pth")
    other = make_model({"age": "learnt", "type": 2}).eval()
    load_state(other, load(tmp_path / "model.pth"), tmp_path / "model.pth")
    feats = batch()["feats"]
    outputs = other.outputs(feats)
    layer = other.heads["age"].layers[-1]
    mixture = hand_mixture(other.exits["age"], other.encoder(feats))
    expected = mixture @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()
    np.testing.assert_allclose(outputs["age"].detach().numpy(), expected, atol=1e-5)
    torch.testing.assert_close(outputs["age"], model.outputs(feats)["age"], rtol=0, atol=0)
    fixed = make_model({"age": 1, "type": 2})
    with pytest.raises(UserError, match="does not fit this model"):
        load_state(fixed, load(tmp_path / "model.pth"), tmp_path / "model.pth")


def test_weights_of_fixed_exits_have_no_entries() -> None:
    assert not any(name.startswith("exits.") for name in make_model({"age": 1, "type": None}).state_dict())


def test_bfloat16_autocast_has_float32_shares() -> None:
    model = make_model({"age": "learnt", "type": "learnt"}).train()
    with torch.autocast("cpu", torch.bfloat16):
        loss, stats, _ = model(**batch())
    loss.backward()
    assert {stats["exit_age_2"].dtype, stats["depth_type"].dtype, model.exits["age"].logit.grad.dtype} == {
        torch.float32
    }
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("exits", "changed", "expected"),
    [
        ("learnt", {"encoder": "cnn10"}, "task 'age': exit learnt: this encoder has one exit only"),
        ("learnt", {"encoder_conf": {"channels": [4]}}, "task 'age': exit learnt: this encoder has one exit only"),
        ("learnt", {"exit_conf": {"width": 1}}, "exit_conf: width: must be a whole number of at least 2, not 1"),
        ("learned", {}, "task 'age': exit is a number from 1 or learnt, not 'learned'"),
    ],
)
def test_nothing_to_mix(exits: str, changed: dict, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        make_model({"age": exits, "type": None}, **changed)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
