"""Killed at any moment and run again, training ends with the weights of an undisturbed run."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_dump import make_experiment

ROOT = Path(__file__).parents[3]
KILLED = ["mid_epoch", "mid_checkpoint", "mid_model", "between_renames", "mid_averaging"]
SCENARIOS = ["undisturbed", "again", *KILLED, "torn_checkpoint", "torn_model", "other_tasks"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("restart")
    options = [*make_experiment(folder), "--weighting", "druw", "--accum_grad", "2", "--head_conf", "dropout=0.2"]
    options += ["--augment", "[{name: mixup, probability: 0.6}, {name: spec_augment, max_freq_bins: 3}]"]
    (folder / "options.json").write_text(json.dumps(options))
    env = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/support", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tests/support/restart_driver.py"), str(folder), ",".join(SCENARIOS)]
    result = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=600)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder, json.loads(result.stdout.splitlines()[-1])


def weights(folder: Path, name: str, file: str = "valid.score.ave.pth") -> dict[str, torch.Tensor]:
    return torch.load(folder / name / file, weights_only=True)


def assert_same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    for name in one:
        assert torch.equal(one[name], two[name]), name


def test_same_seed_same_weights(runs: Any) -> None:
    folder, results = runs
    assert results["undisturbed"]["second"] == results["again"]["second"] == 0, results["undisturbed"]["log"][-3000:]
    assert_same(weights(folder, "undisturbed"), weights(folder, "again"))


@pytest.mark.parametrize("name", KILLED)
def test_killed_and_run_again(runs: Any, name: str) -> None:
    folder, results = runs
    assert results[name]["first"] == -signal.SIGKILL
    assert results[name]["second"] == 0, results[name]["log"][-3000:]
    for file in ("valid.score.ave.pth", "valid.score.best.pth", "latest.pth"):
        assert_same(weights(folder, "undisturbed", file), weights(folder, name, file))
    kept = {path.name for path in (folder / name).iterdir() if not path.name.startswith("env")}
    assert {path.name for path in (folder / "undisturbed").iterdir() if not path.name.startswith("env")} <= kept


def test_torn_checkpoint_falls_back_to_the_one_before(runs: Any) -> None:
    folder, results = runs
    log = results["torn_checkpoint"]["log"]
    assert results["torn_checkpoint"]["second"] == 0, log[-3000:]
    assert "checkpoint.pth: torn" in log
    assert "resuming from" in log
    assert "checkpoint.prev.pth" in log
    assert_same(weights(folder, "undisturbed"), weights(folder, "torn_checkpoint"))


def test_torn_model_is_written_again(runs: Any) -> None:
    folder, results = runs
    assert results["torn_model"]["second"] == 0, results["torn_model"]["log"][-3000:]
    assert "2epoch.pth: torn" in results["torn_model"]["log"]
    assert_same(weights(folder, "undisturbed"), weights(folder, "torn_model"))


def test_checkpoint_of_other_tasks_is_refused(runs: Any) -> None:
    _, results = runs
    assert results["other_tasks"]["second"] == 1
    last = results["other_tasks"]["log"].splitlines()[-1]
    assert last.startswith("error: ")
    assert "does not fit this model" in last
