"""An experiment of a tiny model, and its pack."""

from pathlib import Path

import pytest
import yaml
from tiny_model import make_model

from espnet2_ext.inference import MTLInference
from espnet2_ext.inference.pack import write_pack

ROOT = Path(__file__).parents[3]
WEIGHTS = "valid.score.ave.pth"


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "egs/bursts/mtl1/exp/tiny"
    make_model(path)
    config = yaml.safe_load((path / "config.yaml").read_text())
    config |= {"output_dir": "exp/tiny", "task_stats": "exp/stats/task_stats.yaml", "train_dir": "/private/train"}
    (path / "config.yaml").write_text(yaml.safe_dump(config | {"valid_dir": "dump/log_mel/dev"}))
    (path.parent / "stats").mkdir()
    (path.parent / "stats/task_stats.yaml").write_text(yaml.safe_dump({"emotion": {"labelled": 31}}))
    return path


@pytest.fixture(scope="module")
def pack(exp: Path) -> Path:
    out = exp.parent / "model.zip"
    write_pack(exp, WEIGHTS, out)
    return out


@pytest.fixture(scope="module")
def inference(exp: Path) -> MTLInference:
    return MTLInference.from_pretrained(exp)
