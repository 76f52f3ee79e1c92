"""A small untrained experiment on log-mel features, for tests of what comes after training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from tiny_dump import TASKS

from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.task_spec import task_spec_from_dict

FEATURE = {"name": "log_mel", "n_mels": 16}


def burst(seconds: float, rate: int = 16000, seed: int = 0) -> np.ndarray:
    """Return (N,) float32 samples of a decaying tone of 220 Hz with a little noise."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(size=len(time))
    return (0.3 * np.sin(2 * np.pi * 220 * time) * np.exp(-2 * time) + 0.01 * noise).astype(np.float32)


def make_model(exp: Path, evaluation: str = "centre", **changes: Any) -> dict[str, Any]:
    """Write config.yaml, feature.yaml, weights, env.yaml and a score; return the configuration, with its changes."""
    config = {
        "task_spec": task_spec_from_dict(TASKS).to_dict(), "input_size": 16, "encoder": "multi_exit_cnn",
        "encoder_conf": {"channels": [4, 8]}, "normalize": "global_mvn", "normalize_conf": {}, "weighting": "druw",
        "weighting_conf": {}, "head_conf": {}, "channels_last": True, "compile_encoder": False,
        "crop_conf": {"frames": 50, "evaluation": evaluation}, "train_dir": "/somewhere/private",
    } | changes  # fmt: skip
    exp.mkdir(parents=True)
    torch.manual_seed(0)
    model = build_model(config)
    model.heads["age"].target_mean.fill_(30.0)
    torch.save(model.state_dict(), exp / "valid.score.ave.pth")
    (exp / "config.yaml").write_text(yaml.safe_dump(config))
    (exp / "feature.yaml").write_text(yaml.safe_dump(FEATURE))
    facts = {"date": "2022-01-01", "git": "abc", "versions": {"torch": "2"}}
    (exp / "env.yaml").write_text(yaml.safe_dump(facts))
    (exp / "predict_dev").mkdir()
    score = {"metrics": {"age_mae": {"value": 4.5}}, "score": {"name": "s_mtl", "value": 0.25}}
    (exp / "predict_dev/score.json").write_text(json.dumps(score))
    return config
