"""Small trainings with learnt exits: what they log, the optimiser, reports, packs and ONNX of what was trained."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from train_tiny import complaint, train

from espnet2_ext.inference.archive import read_archive
from espnet2_ext.inference.mtl_inference import MTLInference
from espnet2_ext.inference.pack import write_pack
from espnet2_ext.report.exits import chosen_exits
from espnet2_ext.report.experiment import read_experiment
from espnet2_ext.report.figure.exits import exit_curves
from espnet2_ext.report.figure.style import styled

LEARNT = ["--task_exits", "{emotion: learnt, country: learnt}", "--exit_lr", "0.05", "--exit_conf", "width=6"]


@pytest.fixture(scope="module")
def trained(options: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("trained") / "exp"
    history = train(options, out, *LEARNT, "--max_epoch", "3", "--use_tensorboard", "true")
    (out / "feature.yaml").write_text(yaml.safe_dump({"name": "log_mel", "n_mels": 8}))
    return out, history


def test_history_has_shares_and_depth(trained: tuple[Path, dict[str, Any]]) -> None:
    _, history = trained
    for task in ("emotion", "country"):
        first, last = ({k: history[e]["train"][k] for k in history[e]["train"] if task in k} for e in "13")
        for values in (first, last):
            one, two = values[f"exit_{task}_1"], values[f"exit_{task}_2"]
            assert one + two == pytest.approx(1, abs=1e-6)
            assert values[f"depth_{task}"] == pytest.approx(one + 2 * two, abs=1e-5)
            assert f"exit_{task}_3" not in values
        assert abs(last[f"exit_{task}_1"] - 0.5) > 0.002
        assert last[f"exit_{task}_1"] != first[f"exit_{task}_1"]
    assert not any(name.startswith(("exit_age", "depth_age")) for name in history["1"]["train"])


def test_logits_are_optimised_in_their_own_group(trained: tuple[Path, dict[str, Any]]) -> None:
    groups = torch.load(trained[0] / "checkpoint.pth", weights_only=True)["optimizers"][0]["param_groups"]
    assert [group["name"] for group in groups] == ["encoder", "heads", "exit_shares"]
    assert (groups[2]["weight_decay"], groups[2]["lr"], len(groups[2]["params"])) == (0.0, 0.05, 2)


def test_tensorboard_has_them(trained: tuple[Path, dict[str, Any]]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(trained[0] / "tensorboard/train"))
    board.Reload()
    found = [event.value for event in board.Scalars("depth_country")]
    assert found == pytest.approx([trained[1][e]["train"]["depth_country"] for e in "123"], rel=1e-6)


def test_training_that_stopped_goes_on(
    options: list[str], trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    train(options, tmp_path / "exp", *LEARNT, "--max_epoch", "2")
    train(options, tmp_path / "exp", *LEARNT, "--max_epoch", "3")
    one, two = (torch.load(path / "latest.pth", weights_only=True) for path in (trained[0], tmp_path / "exp"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert one["exits.emotion.logit"].abs().min() > 0


def test_report_tells_the_depth_of_the_best_epoch(trained: tuple[Path, dict[str, Any]]) -> None:
    out, history = trained
    experiment = read_experiment(out)
    best = max("123", key=lambda epoch: history[epoch]["valid"]["score"])
    chosen = {choice.task: choice for choice in chosen_exits(experiment)}
    assert list(chosen) == ["emotion", "country"]
    for task, choice in chosen.items():
        values = history[best]["train"]
        assert choice.epoch == int(best)
        assert choice.number == (1 if values[f"exit_{task}_1"] > values[f"exit_{task}_2"] else 2)
        assert choice.depth == pytest.approx(values[f"depth_{task}"])
        assert f"expected depth {values[f'depth_{task}']:.2f}" in choice.text
    with styled():
        panels = exit_curves(experiment).axes
    assert len(panels) == 2
    for axes, task in zip(panels, chosen, strict=True):
        for number in (1, 2):
            drawn = axes.get_lines()[number - 1].get_ydata()
            assert list(drawn) == pytest.approx([history[e]["train"][f"exit_{task}_{number}"] for e in "123"])


def test_pack_predicts_as_the_experiment(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    write_pack(trained[0], "latest.pth", tmp_path / "pack.zip")
    wave = np.random.default_rng(0).normal(size=16000).astype(np.float32) * 0.1
    wanted = MTLInference.from_pretrained(trained[0], weights="latest.pth")(wave, 16000)
    assert MTLInference.from_pretrained(tmp_path / "pack.zip")(wave, 16000) == wanted


def test_onnx_agrees_with_the_model(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is missing: tools/install.sh --extras onnx")
    import onnxruntime

    # Packing compares graph and model itself; here the mixture is told from any one exit.
    write_pack(trained[0], "latest.pth", tmp_path / "pack.zip", onnx=True)
    session = onnxruntime.InferenceSession(read_archive(tmp_path / "pack.zip")["model.onnx"])
    feats = np.random.default_rng(1).normal(size=(3, 40, 8)).astype(np.float32)
    found = dict(zip((o.name for o in session.get_outputs()), session.run(None, {"feats": feats}), strict=True))
    model = MTLInference.from_pretrained(trained[0], weights="latest.pth").model
    with torch.no_grad():
        wanted = model.report(model.outputs(torch.from_numpy(feats)))
        model.exits["emotion"].logit.copy_(torch.tensor([9.0, -9.0]))
        other = model.report(model.outputs(torch.from_numpy(feats)))
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value.numpy(), atol=1e-4)
    assert not np.allclose(found["emotion"], other["emotion"].numpy(), atol=1e-3)


def test_no_exits_to_mix(options: list[str], tmp_path: Path) -> None:
    cnn10 = ["--encoder", "cnn10", "--task_exits", "{emotion: 1, country: 1, age: learnt}"]
    assert "task 'age': exit learnt: this encoder has one exit only" in complaint(options, tmp_path / "exp", *cnn10)
    wrong = ["--task_exits", json.dumps({"age": "learned"})]
    assert "exits: age: learned: give a task of" in complaint(options, tmp_path / "exp", *wrong)
