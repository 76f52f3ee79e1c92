"""Weighting of tasks and of dimensions in a small training: logged, optimised, drawn, resumed, loaded and refused."""

import math
from pathlib import Path

import pytest
import torch
from train_tiny import complaint, train

from espnet2_ext.inference.pack import read_pack, write_pack
from espnet2_ext.mtl.build import load_trained
from espnet2_ext.report.experiment import read_experiment
from espnet2_ext.report.figure.style import styled
from espnet2_ext.report.figure.weights import weight_curve
from espnet2_ext.report.pictures import make_pictures

MORE = ["--weighting", "druw", "--weighting_lr", "0.05", "--dimension_weighting", "druw", "--resume", "true"]
MORE += ["--dimension_weighting_conf", "{temperature: 0.1, initial_alpha: {emotion_joy: 0.8}}"]


def test_both_levels_in_a_training_that_is_resumed(options: list[str], tmp_path: Path) -> None:
    out = tmp_path / "exp"
    train(options, out, *MORE, "--max_epoch", "2")
    history = train(options, out, *MORE, "--max_epoch", "3")
    rows = [history[epoch]["train"] for epoch in "123"]
    # The history of epochs 1 and 2 comes from the checkpoint.
    quotients = [rows[1][f"loss_emotion_{name}"] / rows[0][f"loss_emotion_{name}"] for name in ("joy", "fear")]
    joy = 2 / (1 + math.exp((quotients[1] - quotients[0]) / 0.1))
    assert rows[2]["lambda_emotion_joy"] == pytest.approx(joy, rel=1e-4)
    assert rows[0]["alpha_emotion_joy"] == pytest.approx(0.8, rel=0.15)
    assert len({row["alpha_emotion_fear"] for row in rows}) == 3
    for row in rows:
        for what in ("loss", "weight", "alpha", "lambda"):
            assert math.isfinite(row[f"{what}_emotion_joy"])
            assert f"{what}_age_age" not in row
        assert {"combined_emotion", "restraint_sum_emotion", "restraint_sum", "weight_emotion"} <= set(row)
    assert "loss_emotion_joy" not in history["3"]["valid"]
    groups = torch.load(out / "checkpoint.pth", weights_only=True)["optimizers"][0]["param_groups"]
    weighting = next(group for group in groups if group["name"] == "weighting")
    assert (len(weighting["params"]), weighting["weight_decay"], weighting["lr"]) == (2, 0.0, 0.05)
    model, _ = load_trained(out / "config.yaml", out / "latest.pth")
    assert list(model.dimension_weighting.weightings) == ["emotion"]
    (out / "feature.yaml").write_text("{name: log_mel, n_mels: 8}\n")
    write_pack(out, "latest.pth", tmp_path / "pack.zip")
    packed = read_pack(tmp_path / "pack.zip").model.dimension_weighting.state_dict()
    assert packed == model.dimension_weighting.state_dict()

    experiment = read_experiment(out)
    with styled():
        panels = weight_curve(experiment).axes
    assert [panel.get_ylabel() for panel in panels] == ["task weight", "restrained sum", "weight in emotion"]
    drawn = {line.get_label(): list(line.get_ydata()) for line in panels[2].lines}
    assert drawn == {name: [row[f"weight_emotion_{name}"] for row in rows] for name in ("joy", "fear")}
    assert {line.get_label() for line in panels[0].lines} == {"emotion", "age", "country"}
    picture = make_pictures(experiment, [], tmp_path).weights
    low, high = sorted((rows[2][f"weight_emotion_{name}"], name) for name in ("joy", "fear"))
    assert picture.alt.endswith(f"inside emotion from {low[0]:.3g} ({low[1]}) to {high[0]:.3g} ({high[1]}).")


def test_refused_before_training(options: list[str], tmp_path: Path) -> None:
    out, inner = tmp_path / "exp", ["--dimension_weighting", "dwa"]
    assert "name a dimension_weighting" in complaint(options, out, "--dimension_weighting_tasks", "emotion")
    text = complaint(options, out, "--dimension_weighting_conf", "step=epoch")
    assert "name a dimension_weighting" in text
    text = complaint(options, out, *inner, "--dimension_weighting_tasks", "age")
    assert "choose among tasks of several dimensions: emotion" in text
    assert "twins" in complaint(options, out, *inner, "--twins", "true")
    assert "no such option: phi" in complaint(options, out, *inner, "--dimension_weighting_conf", "phi=1")
    text = complaint(options, out, config={"dimension_weighting": "dwa", "dimension_weighting_tasks": "emotion"})
    assert "give a list" in text
    one = [*options, "--task_config", str(tmp_path / "tasks.yaml")]
    (tmp_path / "tasks.yaml").write_text("tasks: [{name: age, type: regression, dimensions: [age], loss: l1}]\n")
    assert "no task has several dimensions" in complaint(one, out, *inner)


def test_single_task_takes_the_same_configuration(options: list[str], tmp_path: Path) -> None:
    more = ["--tasks", "country", "--dimension_weighting", "dwa", "--dimension_weighting_tasks", "emotion"]
    history = train(options, tmp_path / "exp", *more, "--max_epoch", "1")
    assert not any("emotion" in name for name in history["1"]["train"])
