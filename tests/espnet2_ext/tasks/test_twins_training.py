"""Small trainings of twins: what they log, kills, mixed precision, use and packs of what was trained."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from train_tiny import complaint, train

from espnet2_ext.errors import UserError
from espnet2_ext.inference.archive import read_archive, write_folder
from espnet2_ext.inference.mtl_inference import MTLInference
from espnet2_ext.inference.pack import write_pack
from espnet2_ext.mtl.build import load_trained
from espnet2_ext.report.experiment import read_experiment
from espnet2_ext.report.figure.weights import weight_curve

ROOT = Path(__file__).parents[3]
TWINS = ["--twins", "true", "--twins_conf", "{projector: [6], spec_augment: {max_time_frames: 9, max_freq_bins: 3}}"]
RUWL = ["--weighting", "ruwl", "--weighting_lr", "0.05", "--weighting_conf",
        "{scales: {barlow_twins: 0.01}, initial_alpha: {barlow_twins: 0.1}}"]  # fmt: skip
TASKS = ("emotion", "age", "country")
NAMES = (*TASKS, *(f"{task}_twin" for task in TASKS), "barlow_twins")


@pytest.fixture(scope="module")
def trained(options: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("trained") / "exp"
    history = train(options, out, *TWINS, *RUWL, "--max_epoch", "3")
    (out / "feature.yaml").write_text(yaml.safe_dump({"name": "log_mel", "n_mels": 8}))
    return out, history


def test_history_has_the_losses_of_both_views_and_between_them(trained: tuple[Path, dict[str, Any]]) -> None:
    _, history = trained
    for epoch in history.values():
        names = {f"{what}_{name}" for what in ("loss", "weight", "alpha") for name in NAMES}
        assert names <= epoch["train"].keys()
        assert epoch["train"]["skipped"] == 0
        assert all(np.isfinite(epoch["train"][name]) for name in names)
        # Validation is of the clean view.
        assert not any("twin" in name for name in epoch["valid"])
    first, last = history["1"]["train"], history["3"]["train"]
    assert all(first[f"weight_{name}"] != last[f"weight_{name}"] for name in NAMES)
    assert last["loss_barlow_twins"] < first["loss_barlow_twins"]


def test_killed_in_an_epoch_and_run_again(options: list[str], tmp_path: Path) -> None:
    more = ["--head_conf", "dropout=0.2", "--augment", "[{name: mixup, probability: 0.6}]", "--num_workers", "1"]
    (tmp_path / "options.json").write_text(json.dumps([*options, *TWINS, *RUWL, *more, "--batch_size", "5"]))
    env = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/support", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tests/support/restart_driver.py"), str(tmp_path), "undisturbed,mid_epoch"]
    result = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
    results = json.loads(result.stdout.splitlines()[-1])
    assert results["mid_epoch"]["first"] == -signal.SIGKILL
    assert results["mid_epoch"]["second"] == results["undisturbed"]["second"] == 0, results["mid_epoch"]["log"][-3000:]
    one, two = (torch.load(tmp_path / n / "latest.pth", weights_only=True) for n in ("undisturbed", "mid_epoch"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    "more",
    [
        ["--use_amp", "true", "--weighting", "druw"], ["--accum_grad", "2", "--train_dtype", "float64"],
        ["--crop_conf", "{padding: zero, evaluation: whole, min_frames: 8}", "--normalize", "utterance_mvn"],
        ["--encoder", "resnet18", "--task_exits", "{emotion: 1, country: 1}", "--tasks", "emotion"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_one_epoch_with(options: list[str], tmp_path: Path, more: list[str]) -> None:
    out = tmp_path / "exp"
    history = train(options, out, *TWINS, "--max_epoch", "1", *more)
    assert np.isfinite(history["1"]["train"]["loss"])
    assert history["1"]["train"]["skipped"] == 0
    load_trained(out / "config.yaml", out / "valid.score.ave.pth")


def test_pack_predicts_as_the_experiment(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    exp, _ = trained
    write_pack(exp, "latest.pth", tmp_path / "pack.zip")
    wave = np.random.default_rng(0).normal(size=16000).astype(np.float32) * 0.1
    wanted = MTLInference.from_pretrained(exp, weights="latest.pth")(wave, 16000)
    assert MTLInference.from_pretrained(tmp_path / "pack.zip")(wave, 16000) == wanted
    write_folder(read_archive(tmp_path / "pack.zip"), tmp_path / "unpacked")
    assert MTLInference.from_pretrained(tmp_path / "unpacked")(wave, 16000) == wanted
    config = yaml.safe_load((tmp_path / "unpacked/config.yaml").read_text())
    assert config["twins"] is True
    assert config["twins_conf"]["projector"] == [6]
    config["twins_conf"]["projector"] = [7]  # not needed to predict, and loaded strictly all the same
    (tmp_path / "unpacked/config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match="does not fit this model"):
        MTLInference.from_pretrained(tmp_path / "unpacked")


def test_figure_shows_every_weight(trained: tuple[Path, dict[str, Any]]) -> None:
    legend = weight_curve(read_experiment(trained[0])).axes[0].get_legend()
    assert {text.get_text() for text in legend.get_texts()} == set(NAMES)


def test_options_that_would_do_nothing(options: list[str], tmp_path: Path) -> None:
    assert "set twins: true" in complaint(options, tmp_path / "exp", *TWINS[2:])
