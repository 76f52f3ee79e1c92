"""Building and loading: options by name, weights only, strictly."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.build import build_model, load_config, load_trained

SPEC = {
    "tasks": [
        {"name": "age", "type": "regression", "dimensions": ["years"], "normalise": True, "exit": 1},
        {"name": "type", "type": "classification", "classes": ["x", "y", "z"],
         "loss_conf": {"class_weights": "balanced"}},
    ]
}  # fmt: skip
STATS = {"age": {"mean": [27.0], "std": [5.0]}, "type": {"counts": {"x": 3, "y": 1, "z": 2}}}
CONFIG = {
    "task_spec": SPEC, "input_size": 8, "encoder": "multi_exit_cnn", "encoder_conf": {"channels": [4, 4]},
    "normalize": "global_mvn", "normalize_conf": {}, "weighting": "druw", "weighting_conf": {}, "head_conf": {},
    "channels_last": True, "compile_encoder": False,
}  # fmt: skip


@pytest.fixture
def stats_file(tmp_path: Path) -> Path:
    frames = np.random.default_rng(0).normal(2, 3, size=(50, 8))
    np.savez(tmp_path / "feats_stats.npz", count=50, sum=frames.sum(0), sum_square=(frames**2).sum(0))
    return tmp_path / "feats_stats.npz"


def trained(folder: Path, stats_file: Path, **changed: Any) -> tuple[torch.nn.Module, Path, Path]:
    torch.manual_seed(0)
    model = build_model(CONFIG | changed, STATS, stats_file)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | changed))
    torch.save(model.state_dict(), folder / "model.pth")
    return model, folder / "config.yaml", folder / "model.pth"


def test_loaded_model_is_the_trained_one(tmp_path: Path, stats_file: Path) -> None:
    """Without any statistics file: the weights carry what follows from them."""
    model, config_file, model_file = trained(tmp_path, stats_file)
    stats_file.unlink()
    loaded, config = load_trained(config_file, model_file)
    assert config == CONFIG
    assert not loaded.training
    feats = torch.randn(3, 20, 8)
    expected = model.eval().report(model.outputs(feats))
    for name, value in loaded.report(loaded.outputs(feats)).items():
        assert torch.equal(value, expected[name])
    assert loaded.heads["age"].target_mean.tolist() == [27]


def test_target_statistics_are_those_of_the_training_set(stats_file: Path) -> None:
    head = build_model(CONFIG, STATS, stats_file).heads["age"]
    assert (head.target_mean.tolist(), head.target_std.tolist()) == ([27], [5])


def test_class_without_a_training_label_has_weight_1(stats_file: Path) -> None:
    stats = STATS | {"type": {"counts": {"x": 3, "y": 0, "z": 3}}}
    assert build_model(CONFIG, stats, stats_file).losses["type"].class_weights.tolist() == pytest.approx(
        [2 / 3, 1, 2 / 3]
    )


IMPOSSIBLE = [
    ({"encoder": "cnn11"}, "--encoder cnn11: choose among multi_exit_cnn, cnn10, cnn14"),
    ({"normalize": "mvn"}, "--normalize mvn: choose among global_mvn, utterance_mvn"),
    ({"weighting": "uww"}, "no such weighting: uww"),
    (
        {"encoder_conf": {"chanels": [4, 4]}},
        "encoder_conf: multi_exit_cnn has no option chanels; its options are channels, ",
    ),
    ({"encoder_conf": {"input_size": 4}}, "encoder_conf: "),
    ({"encoder_conf": {"exits": [1]}}, "encoder_conf: "),
    ({"encoder_conf": {"name": "x"}}, "encoder_conf: "),
    ({"encoder_conf": {"what": "x"}}, "encoder_conf: "),
    ({"encoder_conf": {"channels": 4}}, "encoder_conf: "),
    ({"encoder_conf": {"channels": ["a"]}}, "encoder_conf: "),
    ({"encoder_conf": {"channels": [-4, 4]}}, "encoder_conf: "),
    ({"encoder_conf": {"norm": "layer"}}, "norm is batch or group"),
    ({"encoder_conf": {"channels": []}}, "exit 0"),
    ({"normalize": "utterance_mvn", "normalize_conf": {"stats_file": "x"}}, "normalize_conf: "),
    ({"normalize_conf": {"norm_vars": True}}, "normalize_conf: "),
    ({"weighting_conf": {"temperatur": 1}}, "no such option: temperatur"),
    ({"weighting_conf": {"name": 1}}, "weighting_conf: "),
    ({"weighting_conf": {"task_names": ["a"]}}, "weighting_conf: "),
    ({"head_conf": {"width": 4}}, "heads parallel: no such option: width"),
    ({"head_conf": {"channels_last": False}}, "heads parallel: no such option: channels_last"),
    ({"head_conf": {"hidden_size": -3}}, "head_conf: "),
    ({"head_conf": {"hidden_size": "many"}}, "head_conf: "),
    ({"head_conf": {"dropout": 1.5}}, "head_conf: "),
    ({"head_conf": {"norm": "layer"}}, "head_conf: "),
    ({"head_conf": {"activation": "tanh"}}, "head_conf: "),
    ({"heads": "tree"}, "no such heads: tree"),
    (
        {"heads": "chain", "head_conf": {"order": ["age"]}},
        "head_conf: order ['age'] is not a list of exactly the tasks",
    ),
    ({"heads": "chain", "head_conf": {"ground_truth": 2}}, "head_conf: ground_truth: must lie in [0, 1], not 2"),
    ({"heads": "chain", "head_conf": {"ground_truth": "half"}}, "head_conf: ground_truth: must be a number"),
    ({"heads": "chain", "head_conf": {"ground_truth": {"start": 1}}}, "set the option end, epochs"),
    ({"heads": "chain", "head_conf": {"ground_truth": {"first": 1}}}, "no such option: first; its options are: start"),
    (
        {"heads": "chain", "head_conf": {"ground_truth": {"start": 1, "end": 0, "epochs": 1}}},
        "head_conf: ground_truth: epochs: must be a whole number of at least 2, not 1",
    ),
    ({"exit_conf": {"pooling": "max"}}, "pooling: no such pooling: max; use one of mean"),
    ({"exit_conf": {"widht": 4}}, "pooling mean: no such option: widht; its options are: width"),
    ({"exit_conf": {"width": 1}}, "exit_conf: width: must be a whole number of at least 2, not 1"),
    ({"exit_conf": {"width": True}}, "exit_conf: width: must be a whole number"),
    ({"exit_conf": [4]}, "exit_conf is a mapping of options, not [4]"),
    ({"head_conf": {"dimension_chain": ["mood"]}}, "head_conf: dimension_chain ['mood']"),
]


@pytest.mark.parametrize(("changed", "expected"), IMPOSSIBLE, ids=[str(case[0]) for case in IMPOSSIBLE])
def test_impossible_options_are_one_line(changed: dict, expected: str, stats_file: Path) -> None:
    with pytest.raises(UserError) as caught:
        build_model(CONFIG | changed, STATS, stats_file)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def with_task(**keys: Any) -> dict:
    return {"task_spec": {"tasks": [SPEC["tasks"][0], SPEC["tasks"][1] | keys]}}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (with_task(exit=3), "exit 3: the encoder has exits 1 to 2"),
        (with_task(loss_conf={"class_weights": [1, 2]}), "'type': 2 class_weights for 3 classes"),
        (with_task(loss_conf={"class_weights": "even"}), "class_weights"),
        (with_task(loss_conf={"smoothing": 0.1}), "no such option: smoothing"),
        (with_task(loss_conf={"label_smoothing": 1.5}), "label_smoothing"),
    ],
)
def test_impossible_tasks(changed: dict, expected: str, stats_file: Path) -> None:
    with pytest.raises(UserError, match=expected):
        build_model(CONFIG | changed, STATS, stats_file)


def test_weights_of_another_model(tmp_path: Path, stats_file: Path) -> None:
    _, config_file, model_file = trained(tmp_path, stats_file)
    config_file.write_text(yaml.safe_dump(CONFIG | with_task(classes=["x", "y"], loss_conf={})))
    with pytest.raises(UserError, match="does not fit this model"):
        load_trained(config_file, model_file)


@pytest.mark.parametrize("content", ["missing", "extra", "list", "tensor", "numbers"])
def test_incomplete_weights_are_refused(tmp_path: Path, stats_file: Path, content: str) -> None:
    """ESPnet loads with strict=False, and says nothing."""
    model, config_file, model_file = trained(tmp_path, stats_file)
    state = dict(model.state_dict())
    if content == "missing":
        state.popitem()
    if content == "extra":
        state["encoder.more"] = torch.zeros(1)
    objects = {"list": [1, 2], "tensor": torch.zeros(3), "numbers": dict.fromkeys(state, 1)}
    torch.save(objects.get(content, state), model_file)
    with pytest.raises(UserError, match=r"model\.pth: does not fit this model"):
        load_trained(config_file, model_file)


def test_missing_and_torn_weights(tmp_path: Path, stats_file: Path) -> None:
    _, config_file, model_file = trained(tmp_path, stats_file)
    os.truncate(model_file, 1000)
    with pytest.raises(UserError, match=r"model\.pth: torn"):
        load_trained(config_file, model_file)
    model_file.unlink()
    with pytest.raises(UserError, match="no such model; run stage 6"):
        load_trained(config_file, model_file)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "cannot be read: no such file; name an experiment that stage 6 has trained, or a pack"),
        ("a: [", "cannot be read"),
        ("!!python/object/apply:os.system ['touch marker']", "cannot be read"),
        ("- a", "no task_spec"),
        ("optim: adamw", "no task_spec"),
        ("task_spec: {tasks: []}", "no input_size"),
    ],
)
def test_other_configurations(tmp_path: Path, text: str | None, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=expected):
        load_config(tmp_path / "config.yaml")
    assert not (tmp_path / "marker").exists()
