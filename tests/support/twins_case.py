"""A small model of twins and a batch for it."""

import math
from typing import Any

import torch
from torch import Tensor

from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.twins_model import TwinsMTLModel

SPEC = {
    "tasks": [
        {"name": "emotion", "type": "regression", "dimensions": ["a", "b", "c"], "activation": "sigmoid", "exit": 2},
        {"name": "age", "type": "regression", "dimensions": ["years"], "loss": "l1", "metric": "mae", "exit": 1},
        {"name": "country", "type": "classification", "classes": ["x", "y", "z"], "exit": 1},
    ]
}
NAMES = ("emotion", "age", "country", "emotion_twin", "age_twin", "country_twin", "barlow_twins")
TWINS = {"projector": [6], "spec_augment": {"max_time_frames": 5, "max_freq_bins": 3}}


def make_twins(weighting: str = "equal", **config: Any) -> TwinsMTLModel:
    torch.manual_seed(0)
    return build_model(
        {
            "task_spec": SPEC, "input_size": 12, "encoder": "multi_exit_cnn",
            "encoder_conf": {"channels": [4, 8], "norm": "group"}, "normalize": "utterance_mvn", "normalize_conf": {},
            "weighting": weighting, "weighting_conf": {}, "head_conf": {}, "channels_last": True,
            "compile_encoder": False, "twins": True, "twins_conf": TWINS,
        } | config
    )  # fmt: skip


def make_twins_batch(rows: int = 6) -> dict[str, Tensor]:
    """Some labels are missing; masks [start, stop) of two in time and two in bins, the second of each empty."""
    generator = torch.Generator().manual_seed(1)
    batch = {
        "feats": torch.randn(rows, 24, 12, generator=generator),
        "emotion": torch.rand(rows, 3, generator=generator),
        "age": 20 + 15 * torch.rand(rows, 1, generator=generator),
        "country": torch.randint(0, 3, (rows,), generator=generator),
        "twin_masks": torch.tensor([[[2 + row, 6 + row], [9, 9], [row, row + 3], [4, 4]] for row in range(rows)]),
    }
    batch["emotion"][0, 1] = math.nan
    batch["age"][1] = math.nan
    batch["country"][2] = -1
    return batch
