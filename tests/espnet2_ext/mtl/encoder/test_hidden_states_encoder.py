"""Predictions from stored hidden states are those of the frozen encoder on the waves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from speech_like import speech_like
from tiny_ssl import make_ssl

from espnet2_ext.feature import build_feature
from espnet2_ext.fileio.ark import ArkReader, ArkWriter
from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.encoder import HiddenStatesEncoder
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel

SECONDS = (0.1, 0.04, 0.07)
TASKS = [
    {"name": "high", "type": "regression", "dimensions": ["a", "b", "c"]},
    {"name": "type", "type": "classification", "classes": ["x", "y"], "exit": 2},
]
CASES: dict[str, dict[str, Any]] = {
    "exits": {},
    "learnt": {"tasks": [task | {"exit": "learnt"} for task in TASKS]},
    "layer sum": {"tasks": [task | {"exit": 1} for task in TASKS], "layer_sum": True},
    "attention": {"exit_conf": {"pooling": "attention"}},
    "attention over the sum": {
        "tasks": [task | {"exit": 1} for task in TASKS],
        "layer_sum": True,
        "exit_conf": {"pooling": "attention"},
    },
    "branch": {
        "tasks": [task | {"exit": None} for task in TASKS],
        "exit_conf": {"pooling": "branch", "layers": [0, 1, 3], "size": 8, "n_heads": 2, "dropout": 0},
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    make_ssl(path)
    return path


@pytest.fixture(scope="module")
def waves() -> list[np.ndarray]:
    return [speech_like(seconds, 16000, seed) for seed, seconds in enumerate(SECONDS)]


def padded(rows: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, D) rows -> (B, N, D) with zeros at the ends, and lengths (B,)."""
    tensors = [torch.from_numpy(row if row.ndim == 2 else row[:, None]) for row in rows]
    lengths = torch.tensor([len(row) for row in tensors])
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True), lengths


def both(folder: Path, case: str) -> tuple[ESPnetMTLModel, ESPnetMTLModel]:
    """A model on waves and one on hidden states, with the same heads and all that is learnt."""
    options = dict(CASES[case])
    shared = {
        "task_spec": {"tasks": options.pop("tasks", TASKS)}, "normalize": None, "normalize_conf": {},
        "weighting": "equal", "weighting_conf": {}, "head_conf": {}, "channels_last": True, "compile_encoder": False,
        "exit_conf": options.pop("exit_conf", {}),
    }  # fmt: skip
    torch.manual_seed(0)
    ssl = {"model": str(folder), "freeze": "all", "mask_time_prob": 0.0, "mask_feature_prob": 0.0}
    one = build_model({**shared, "input_size": 1, "encoder": "ssl", "encoder_conf": ssl | options})
    conf = {"layers": [0, 1, 2, 3], **options}
    two = build_model({**shared, "input_size": 64, "encoder": "hidden_states", "encoder_conf": conf})
    learnt = {name: value + 0.1 for name, value in one.state_dict().items() if "backbone" not in name}
    one.load_state_dict(learnt, strict=False)
    two.load_state_dict({name: value for name, value in learnt.items() if "masks" not in name})
    return one, two


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["evaluation", "training"])
def test_predictions_are_those_of_the_frozen_encoder(
    folder: Path, waves: list[np.ndarray], case: str, mode: str
) -> None:
    one, two = (model.train(mode == "training") for model in both(folder, case))
    states = build_feature("hidden_states", model=str(folder)).extract(waves, 16000)
    wanted, found = one.outputs(*padded(waves)), two.outputs(*padded(states))
    for name, value in wanted.items():
        assert value.abs().max() > 0.05
        torch.testing.assert_close(found[name], value, rtol=0, atol=1e-5)


def test_gradients_are_those_of_the_frozen_encoder(folder: Path, waves: list[np.ndarray]) -> None:
    models = [model.train() for model in both(folder, "learnt")]
    states = build_feature("hidden_states", model=str(folder)).extract(waves, 16000)
    for model, rows in zip(models, (waves, states), strict=True):
        sum(value.square().sum() for value in model.outputs(*padded(rows)).values()).backward()
    theirs = {name: p.grad for name, p in models[0].named_parameters() if p.requires_grad}
    ours = {name: p.grad for name, p in models[1].named_parameters()}
    assert set(theirs) == set(ours)
    for name, grad in theirs.items():
        torch.testing.assert_close(ours[name], grad, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def stored(folder: Path, waves: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, float]:
    """Hidden states, those read from an ark of two bytes a value, and the error that these may have."""
    states = build_feature("hidden_states", model=str(folder)).extract(waves, 16000)
    root = tmp_path_factory.mktemp("ark")
    with ArkWriter(root / "a.ark", root / "a.scp", 3) as writer:
        for number, matrix in enumerate(states):
            writer.write(f"u{number}", matrix)
    reader = ArkReader(root / "a.scp")
    error = max(float(np.ptp(matrix)) for matrix in states) / 65535 * 0.501
    return states, [reader[f"u{number}"] for number in range(len(states))], error


def test_two_bytes_a_value_move_predictions_by_their_error_only(
    folder: Path, waves: list[np.ndarray], stored: tuple[Any, Any, float]
) -> None:
    """Linear heads on a mean: an output moves by at most the values' error times the sum of the weights' sizes."""
    _, read, error = stored
    one, two = (model.eval() for model in both(folder, "exits"))
    wanted, found = one.outputs(*padded(waves)), two.outputs(*padded(read))
    for name, value in wanted.items():
        weight = two.heads[name].layers[-1].weight
        bound = error * weight.abs().sum(dim=1) + 1e-5
        assert ((found[name] - value).abs() <= bound).all()
        assert bound.max() < 1e-3


@pytest.mark.parametrize("case", CASES)
def test_two_bytes_a_value_move_no_output_by_more_than_a_value(
    folder: Path, stored: tuple[Any, Any, float], case: str
) -> None:
    """Errors of many values cancel: with these weights outputs move by a tenth of the largest error of a value."""
    states, read, error = stored
    model = both(folder, case)[1].eval()
    wanted, found = model.outputs(*padded(states)), model.outputs(*padded(read))
    for name, value in wanted.items():
        assert 0 < (found[name] - value).abs().max() <= error


def test_what_the_features_hold() -> None:
    encoder = HiddenStatesEncoder(6, [None, 2], layers=[2, 5, 7])
    assert encoder.exits == (2, 7)
    assert HiddenStatesEncoder(6, ["learnt", None], layers=[0, 2, 7]).exits == (2, 7)
    frames = encoder.frames(torch.arange(12.0).reshape(1, 2, 6), None)
    assert {layer: x.tolist() for layer, (x, _) in frames.items()} == {
        2: [[[0, 1], [6, 7]]], 5: [[[2, 3], [8, 9]]], 7: [[[4, 5], [10, 11]]],
    }  # fmt: skip
    assert [encoder.frame_size(layer) for layer in (2, 5, 7)] == [2, 2, 2]
    for call in (lambda: encoder.frame_size(0), lambda: encoder.output_size(5)):
        with pytest.raises(ValueError, match=r"hold|has"):
            call()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((6, [3], [2, 5, 7]), "exit 3: the features hold the layers"),
        ((6, [None], [5, 2]), "in ascending order"),
        ((6, [None], []), "give those in the features"),
        ((7, [None], [2, 5]), "features of 7 bins"),
        ((6, [None], [0]), "features of 6 bins"),
        ((6, [8], [2, 5, 7]), "exit 8"),
    ],
)
def test_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        HiddenStatesEncoder(*arguments)
