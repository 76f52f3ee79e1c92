"""Ensembles: averages by hand, scores, and the choice of rows."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from fake_experiment import make_spec, write_data, write_experiment, write_predictions, write_scored

from espnet2_ext.bin import best_row, mtl_average, mtl_score
from espnet2_ext.errors import UserError
from espnet2_ext.report.grid import parse_rows, read_grid

SPEC = make_spec(3)
Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(module: object, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["program", *map(str, arguments)])
        module.main()
        return capsys.readouterr().out

    return call


def test_ensemble_by_hand(run: Run, tmp_path: Path) -> None:
    utts, targets = write_data(tmp_path / "dump/dev", SPEC, n=24)
    predictions = []
    for name, tasks in (("a", SPEC.names), ("b", SPEC.names), ("c", ("age",))):
        spec = SPEC.subset(tasks)
        write_experiment(tmp_path / f"exp/{name}", spec, seed=3)
        noise = 0.5 if name == "a" else 0.9
        predictions.append(write_predictions(tmp_path / f"exp/{name}", "dev", spec, utts, targets, noise, seed=1))
    run(mtl_average, "--models", "exp/a", "exp/b", "exp/c", "--sets", "dev", "--out", "exp/all")
    config = yaml.safe_load(Path("exp/all/config.yaml").read_text())
    assert (config["seed"], config["ensemble"]) == (3, ["exp/a", "exp/b", "exp/c"])
    # Three models of one size in the stand-in.
    assert yaml.safe_load(Path("exp/all/env.yaml").read_text())["n_parameters"] == 3 * 1234567
    a, b, c = predictions
    order = np.argsort(utts)
    lines = Path("exp/all/predict_dev/predictions.jsonl").read_text().splitlines()
    for row, line in zip(order, lines, strict=True):
        record = json.loads(line)
        assert record["utt"] == utts[row]
        age = (float(a["age"][row, 0]) + float(b["age"][row, 0]) + float(c["age"][row, 0])) / 3
        assert list(record["age"].values()) == pytest.approx([age], rel=1e-5)
        shares = (a["country"][row] + b["country"][row]) / 2
        assert list(record["country"]["probabilities"].values()) == pytest.approx(shares.tolist(), rel=1e-5)
        assert record["country"]["class"] == SPEC["country"].classes[int(shares.argmax())]
    score = ("--predictions", "exp/all/predict_dev/predictions.jsonl", "--data", "dump/dev", "--bootstrap", "5")
    run(mtl_score, *score, "--tasks", "exp/all/config.yaml", "--out", "exp/all/predict_dev/score.json")
    _, (row,) = read_grid(parse_rows("all=exp/all"), "dev")
    assert row.seeds == (3,)
    assert row.cells["age_mae"].mean == pytest.approx(
        np.nanmean(np.abs((a["age"] + b["age"] + c["age"]) / 3 - targets["age"])), rel=1e-5
    )


def test_seeds_and_sets(run: Run, tmp_path: Path) -> None:
    data = write_data(tmp_path / "dump/dev", SPEC, n=12)
    for seed in (1, 2):
        write_experiment(tmp_path / f"exp/s{seed}", SPEC, seed=seed)
        write_predictions(tmp_path / f"exp/s{seed}", "dev", SPEC, *data, noise=0.5, seed=seed)
    both = ("--models", "exp/s1", "exp/s2", "--out", "exp/all", "--sets")
    with pytest.raises(UserError, match="several seeds"):
        run(mtl_average, *both, "dev")
    with pytest.raises(UserError, match="predict_test"):
        run(mtl_average, *both, "test", "--seed", "7")
    assert not Path("exp/all/config.yaml").exists()
    run(mtl_average, *both, "dev", "--seed", "7")
    assert yaml.safe_load(Path("exp/all/config.yaml").read_text())["seed"] == 7


def test_best_row_and_best_of_groups(run: Run, tmp_path: Path) -> None:
    """Less noise is better."""
    write_data(tmp_path / "dump/dev", SPEC, n=48)
    noises = {"A:x": 0.9, "A:y": 0.3, "B:x": 0.6, "B:y": 1.2}
    for name, noise in noises.items():
        write_experiment(tmp_path / f"exp/{name[0]}{name[2]}", SPEC)
        write_scored(tmp_path / f"exp/{name[0]}{name[2]}", tmp_path / "dump/dev", "dev", SPEC, noise, 1, bootstrap=0)
    rows = ("--rows", " ".join(f"{name}=exp/{name[0]}{name[2]}" for name in noises), "--set", "dev")
    capture = run(best_row, *rows)
    assert capture.splitlines()[-1] == "A:y"
    assert run(best_row, *rows, "--groups", "true").split() == ["A:y", "B:x"]
