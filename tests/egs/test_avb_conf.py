"""A-VB's configurations: the heads and weightings of Karas et al. (2022)."""

from pathlib import Path

import pytest
import torch

from espnet2_ext.bin.resolve_config import resolve_config
from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.task_spec import load_task_spec

CONF = Path(__file__).parents[2] / "egs/avb/mtl1/conf"
DEFAULTS = {
    "encoder_conf": {}, "normalize_conf": {}, "weighting_conf": {}, "head_conf": {}, "channels_last": True,
    "compile_encoder": False, "input_size": 64, "heads": "parallel",
}  # fmt: skip
OUTPUTS = {"type": 8, "two": 2, "high": 10, "culture": 40}
# Outputs of the tasks before each in the order of the paper.
EARLIER = {"type": 0, "two": 8, "high": 10, "culture": 20}


@pytest.mark.parametrize("weighting", ["equal", "dwa", "rruw", "druw"])
@pytest.mark.parametrize("chain", [False, True], ids=["VANILLA", "CHAIN"])
def test_heads_are_the_papers(weighting: str, chain: bool) -> None:
    """Linear 256, batch normalisation, GELU, linear, batch normalisation, on 1024 and what came before."""
    config = DEFAULTS | resolve_config(CONF / f"tuning/train_{'chain_' * chain}{weighting}.yaml")
    assert config["weighting"] == weighting
    spec = load_task_spec(CONF / "tasks.yaml")
    with torch.device("meta"):
        model = build_model(config | {"task_spec": spec.to_dict(), "normalize": None})
    weights = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    for task, outputs in OUTPUTS.items():
        width = 1024 + EARLIER[task] * chain
        layers = {
            name.split(".layers.")[1]: shape
            for name, shape in weights.items()
            if name.startswith("heads.") and f"{task}.layers." in name and name.endswith("weight")
        }
        assert layers == {
            "0.weight": (256, width), "1.weight": (256,), "4.weight": (outputs, 256), "5.weight": (outputs,),
        }  # fmt: skip
    assert [task.activation for task in spec] == ["linear", "linear", "sigmoid", "sigmoid"]
