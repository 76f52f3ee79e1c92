"""A made-up experiment directory and its data, for tests of scoring, reports and tables."""

import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import soundfile
import yaml

from espnet2_ext.bin import mtl_report, mtl_score
from espnet2_ext.data.labels import read_all_labels
from espnet2_ext.fileio.table import read_table, write_table
from espnet2_ext.inference.records import write_records
from espnet2_ext.mtl.task_spec import TaskSpec, task_spec_from_dict

EMOTIONS = ["Awe", "Excitement", "Amusement", "Awkwardness", "Fear", "Horror", "Distress", "Triumph", "Sadness",
            "Surprise"]  # fmt: skip
COUNTRIES = ["China", "United_States", "South_Africa", "Venezuela"]
HOSTILE = "<img/src=x/onerror=alert(1)>&amp;\"'|`"


def make_spec(n_emotions: int = 10) -> TaskSpec:
    return task_spec_from_dict(
        {
            "tasks": [
                {"name": "emotion", "type": "regression", "dimensions": EMOTIONS[:n_emotions], "activation": "sigmoid"},
                {"name": "country", "type": "classification", "classes": COUNTRIES},
                {"name": "age", "type": "regression", "dimensions": ["age"], "metric": "mae", "unit": "years"},
            ],
            "score": {
                "name": "s_mtl",
                "terms": [
                    {"task": "emotion", "metric": "ccc"},
                    {"task": "country", "metric": "uar"},
                    {"task": "age", "metric": "mae", "transform": "inverse"},
                ],
            },
        }
    )


def make_targets(spec: TaskSpec, n: int, seed: int = 0, missing: float = 0.1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = {}
    for task in spec:
        if task.is_classification:
            targets[task.name] = np.where(rng.random(n) < missing, -1, rng.integers(0, task.n_outputs, n))
        else:
            values = rng.beta(1, 2, (n, task.n_outputs)) * (19 if task.unit else 1) + (20 if task.unit else 0)
            targets[task.name] = np.where(rng.random(values.shape) < missing, np.nan, values).round(3)
    return targets


def make_predictions(spec: TaskSpec, targets: dict[str, np.ndarray], noise: float, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    predictions = {}
    for task in spec:
        target = targets[task.name]
        if task.is_classification:
            logits = rng.standard_normal((len(target), task.n_outputs))
            known = target >= 0
            logits[known, target[known]] += 1.2 / noise
            weights = np.exp(logits)
            predictions[task.name] = weights / weights.sum(axis=1, keepdims=True)
        else:
            spread = np.nanstd(target)
            clean = np.where(np.isnan(target), np.nanmean(target), target)
            predictions[task.name] = (
                0.8 * clean + 0.2 * np.nanmean(target) + noise * spread * rng.standard_normal(clean.shape)
            )
    return {name: value.astype(np.float32) for name, value in predictions.items()}


def utterances(n: int) -> list[str]:
    return [f"s{i // 6:02d}-u{i:03d}" for i in range(n)]


def write_data(
    directory: Path, spec: TaskSpec, n: int = 60, seed: int = 0, missing: float = 0.1, utts: list[str] | None = None
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Write utt2spk (six utterances each) and utt2<task>; returns ids and targets."""
    directory.mkdir(parents=True, exist_ok=True)
    utts = utts or utterances(n)
    targets = make_targets(spec, len(utts), seed, missing)
    write_table(directory / "utt2spk", {utt: f"spk{i // 6:02d}" for i, utt in enumerate(utts)})
    for task in spec:
        rows = {}
        for utt, target in zip(utts, targets[task.name], strict=True):
            if task.is_classification:
                rows |= {utt: task.classes[target]} if target >= 0 else {}
            else:
                rows[utt] = " ".join(f"{v:.3f}" for v in np.atleast_1d(target))
        write_table(directory / f"utt2{task.name}", rows)
    return utts, targets


def write_wavs(directory: Path, utts: list[str], seconds: float = 0.5) -> Path:
    """Write a wav for every utterance; returns wav.scp."""
    directory.mkdir(parents=True, exist_ok=True)
    t = np.arange(int(16000 * seconds)) / 16000
    rows = {}
    for i, utt in enumerate(utts):
        path = directory / f"{i:03d}.wav"
        soundfile.write(path, (0.3 * np.sin(2 * np.pi * (150 + 10 * i) * t) * np.exp(-4 * t)).astype(np.float32), 16000)
        rows[utt] = str(path)
    write_table(directory / "wav.scp", rows)
    return directory / "wav.scp"


def make_history(spec: TaskSpec, epochs: int, seed: int, weighting: str = "druw") -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    history = {}
    for epoch in range(1, epochs + 1):
        decay = np.exp(-3 * epoch / epochs)
        train: dict[str, float] = {"loss": 1 + 3 * decay, "grad_norm": 1 + decay, "iter_time": 0.001}
        train |= {"train_time": 0.05, "lr_network": 1e-3 * (1 - epoch / (epochs + 1))}
        valid: dict[str, float] = {}
        for i, task in enumerate(spec):
            train[f"loss_{task.name}"] = 0.1 + (1 + i) * decay
            valid[f"loss_{task.name}"] = 0.25 + (1 + i) * decay + 0.02 * rng.standard_normal()
            gain = 1 - decay + 0.02 * rng.standard_normal()
            if task.is_classification:
                valid |= {
                    f"{task.name}_uar": 0.8 * gain,
                    f"{task.name}_wa": 0.82 * gain,
                    f"{task.name}_macro_f1": 0.78 * gain,
                }
            else:
                valid |= {
                    f"{task.name}_ccc": 0.7 * gain,
                    f"{task.name}_pearson": 0.75 * gain,
                    f"{task.name}_mae": 8 - 5 * gain,
                }
            train[f"weight_{task.name}"] = 1.0 if weighting == "equal" else 1 + (i - 1) * 0.5 * (1 - decay)
            if weighting != "equal":
                train[f"alpha_{task.name}"] = train[f"weight_{task.name}"] ** -0.5
        if weighting != "equal":
            train["restraint_sum"] = 0.2 + 0.8 * (1 - decay)
        valid["s_mtl"] = valid["score"] = 0.5 * (1 - decay) + 0.01 * rng.standard_normal()
        history[str(epoch)] = {"train": train, "valid": valid}
    return history


def write_experiment(
    path: Path, spec: TaskSpec, seed: int = 1, weighting: str = "druw", epochs: int = 20, n_parameters: int = 1234567
) -> None:
    """Write config.yaml, history.json and env.yaml."""
    path.mkdir(parents=True, exist_ok=True)
    conf = {"phi": 1.0, "restraint_coefficient": 1.0} if weighting == "druw" else {}
    config = {
        "seed": seed,
        "weighting": weighting,
        "weighting_conf": conf,
        "task_spec": spec.to_dict(),
        "batch_size": 32,
    }
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (path / "history.json").write_text(json.dumps(make_history(spec, epochs, seed, weighting)))
    env = {
        "date": "2026-01-02T03:04:05+00:00",
        "git": "0123456789ab-dirty",
        "versions": {"python": "3.11.7", "numpy": "2.0"},
        "n_parameters": n_parameters,
        "command": "python -m espnet2_ext.bin.mtl_train --seed <1> | x",
    }
    (path / "env.yaml").write_text(yaml.safe_dump(env, sort_keys=False))


def write_predictions(
    exp: Path, set_name: str, spec: TaskSpec, utts: list[str], targets: dict[str, np.ndarray], noise: float, seed: int
) -> dict[str, np.ndarray]:
    predictions = make_predictions(spec, targets, noise, seed)
    write_records(exp / f"predict_{set_name}" / "predictions.jsonl", spec, utts, predictions)
    return predictions


def write_scored(
    exp: Path, data: Path, set_name: str, spec: TaskSpec, noise: float, seed: int, bootstrap: int = 20
) -> None:
    """Predict and score the labels in `data`."""
    utts = sorted(read_table(data / "utt2spk"))
    targets = read_all_labels(data, spec.tasks, utts)
    write_predictions(exp, set_name, spec, utts, targets, noise, seed)
    directory = exp / f"predict_{set_name}"
    arguments = ["--predictions", directory / "predictions.jsonl", "--data", data, "--tasks", exp / "config.yaml",
                 "--out", directory / "score.json", "--bootstrap", bootstrap]  # fmt: skip
    with mock.patch.object(sys, "argv", ["mtl_score", *map(str, arguments)]):
        mtl_score.main()


def write_report_case(root: Path) -> None:
    """Two sets and two experiments; some utterances and an experiment have names that break a careless page."""
    spec = make_spec(3)
    hostile = [f"{HOSTILE}{i}" for i in range(6)]
    write_data(root / "dump/dev", spec, utts=sorted([*hostile, *utterances(42)]), seed=1)
    write_data(root / "dump/test", spec, n=36, seed=2)
    write_wavs(root / "wav", sorted([*hostile, *utterances(42)]))
    for i, (name, weighting) in enumerate((("druw<b>", "druw"), ("equal", "equal"))):
        write_experiment(root / "exp" / name, spec, weighting=weighting)
        for set_name in ("dev", "test"):
            write_scored(root / "exp" / name, root / "dump" / set_name, set_name, spec, noise=0.6 + 0.2 * i, seed=i)


def report(root: Path, *extra: str, exp: str = "druw<b>", out: str = "report", sets: str = "dev test") -> Path:
    """Run stage 9; returns its directory."""
    arguments = ["--exp", root / "exp" / exp, "--sets", sets, "--dump", root / "dump", "--out", root / out, *extra]
    with mock.patch.object(sys, "argv", ["mtl_report", *map(str, arguments)]):
        mtl_report.main()
    return root / out
