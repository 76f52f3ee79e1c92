"""The balance of DRUW in small trainings: logged, optimised with the weighting, drawn, and going on after a restart."""

import math
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from train_tiny import train

from espnet2_ext.report.experiment import read_experiment
from espnet2_ext.report.figure.style import styled
from espnet2_ext.report.figure.weights import weight_curve
from espnet2_ext.report.pictures import make_pictures

TASKS = ("emotion", "age", "country")
MORE = ["--weighting", "druw", "--weighting_lr", "0.05", "--use_tensorboard", "true", "--resume", "true"]


def conf(**balance: object) -> list[str]:
    return [word for key, value in balance.items() for word in ("--weighting_conf", f"balance.{key}={value}")]


def test_learnt_balance_is_optimised_logged_and_drawn(options: list[str], tmp_path: Path) -> None:
    out = tmp_path / "exp"
    history = train(options, out, *MORE, *conf(kind="learnt"), "--max_epoch", "3")
    values = [history[epoch]["train"]["balance"] for epoch in "123"]
    assert all(0.1 < value < 0.9 for value in values)
    assert len({round(value, 6) for value in values}) == 3
    model = torch.load(out / "latest.pth", weights_only=True)
    assert model["weighting.balance.logit"].item() != 0
    groups = torch.load(out / "checkpoint.pth", weights_only=True)["optimizers"][0]["param_groups"]
    weighting = next(group for group in groups if group["name"] == "weighting")
    assert (len(weighting["params"]), weighting["weight_decay"], weighting["lr"]) == (2, 0.0, 0.05)

    events = EventAccumulator(str(out / "tensorboard/train"), size_guidance={"scalars": 0}).Reload()
    assert [event.value for event in events.Scalars("balance")] == pytest.approx(values, rel=1e-6)

    experiment = read_experiment(out)
    with styled():
        panels = weight_curve(experiment).axes
    assert [panel.get_ylabel() for panel in panels] == ["task weight", "restrained sum", "balance b"]
    assert list(panels[2].lines[0].get_ydata()) == pytest.approx(values)
    assert panels[2].get_ylim() == (0, 1)
    picture = make_pictures(experiment, [], tmp_path).weights
    assert picture is not None
    assert picture.alt.endswith(f"balance {values[-1]:.3g}.")
    assert (tmp_path / "weights.png").stat().st_size > 0


def test_scheduled_balance_goes_on_after_a_restart(options: list[str], tmp_path: Path) -> None:
    out = tmp_path / "exp"
    schedule = conf(kind="scheduled", shape="cosine", start=0.9, end=0.1, epochs=4)
    train(options, out, *MORE, *schedule, "--max_epoch", "2")
    history = train(options, out, *MORE, *schedule, "--max_epoch", "5")
    expected = [0.5 + 0.4 * math.cos(math.pi * part / 3) for part in (0, 1, 2, 3, 3)]
    assert [history[epoch]["train"]["balance"] for epoch in "12345"] == pytest.approx(expected, rel=1e-6)


def test_fixed_balance_weighs_as_the_formula_says(options: list[str], tmp_path: Path) -> None:
    history = train(options, tmp_path / "exp", *MORE, "--weighting_conf", "balance=1", "--max_epoch", "2")
    for epoch in "12":
        row = history[epoch]["train"]
        assert "balance" not in row
        # b = 1: twice DWA, whose weights are 1 in the first two epochs; alpha has no part in the total and stays.
        assert [row[f"{what}_{task}"] for what in ("weight", "alpha") for task in TASKS] == [2, 2, 2, 1, 1, 1]
