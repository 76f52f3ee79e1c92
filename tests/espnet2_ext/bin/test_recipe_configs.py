"""Every training configuration of every recipe resolves to options that exist."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import transformers
import yaml

from espnet2_ext.bin.resolve_config import resolve_config
from espnet2_ext.feature import load_feature
from espnet2_ext.mtl.encoder.ssl_folder import config_only

ROOT = Path(__file__).parents[3]
CONFIGS = sorted(ROOT.glob("egs/*/*/conf/**/train*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=[str(path.relative_to(ROOT)) for path in CONFIGS])
def test_base_is_the_recipes_own(path: Path) -> None:
    config = resolve_config(path)
    conf = ROOT.joinpath(*path.relative_to(ROOT).parts[:3]) / "conf"
    assert "base" not in config
    # A configuration with another encoder, or a base of it, has it in its name; a base of several is called after it.
    recipe = resolve_config(conf / "train.yaml")
    own = conf / f"train_{config['encoder']}.yaml"
    if not any(config["encoder"] in stem for stem in stems(path)):
        assert config["encoder"] == recipe["encoder"]
    elif own.exists():
        recipe = resolve_config(own)
    if "modalities" in config["encoder_conf"]:
        # The network of the base, or the part of it that is for these.
        whole = resolve_config(conf / f"{stems(path)[1] if path.parent.name == 'tuning' else path.stem}.yaml")
        for name, value in config["encoder_conf"].items():
            assert name == "modalities" or value == whole["encoder_conf"][name]
    elif path.parent.name == "tuning" and config["encoder"] == recipe["encoder"]:
        assert config["encoder_conf"] == recipe["encoder_conf"]
    check_schedule(config)
    balance = config.get("weighting_conf", {}).get("balance")
    if isinstance(balance, dict) and balance["kind"] == "scheduled":
        assert balance["epochs"] == config["max_epoch"]


def stems(path: Path) -> list[str]:
    """Names of a configuration and of its bases."""
    base = yaml.safe_load(path.read_text()).get("base")
    return [path.stem, *(stems(path.parent / base) if base else [])]


def check_schedule(config: dict[str, Any]) -> None:
    """A cosine ends with the training; a plateau is shorter than it, takes any gain for one, and lowers the rate."""
    if "scheduler" not in config:
        assert "scheduler_conf" not in config
        return
    conf = config["scheduler_conf"]
    if config["scheduler"] == "reducelronplateau":
        assert set(conf) <= {"factor", "patience", "threshold", "mode"}
        assert 0 < conf["factor"] < 1
        assert 0 <= conf["patience"] < config["max_epoch"] - 1
        assert conf["threshold"] == 0
    else:
        assert config["scheduler"] == "cosineannealinglr"
        assert conf["T_max"] == config["max_epoch"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("egs/*/*/conf/feature*.yaml")))
def test_features_can_be_built(path: Path) -> None:
    feature = load_feature(path)
    if not feature.self_contained:
        # It names a pretrained model, which is not here: one of the base size stands in.
        base = config_only("wav2vec2", transformers.Wav2Vec2Config().to_dict())
        base |= {"model_type": "wav2vec2", "do_normalize": True, "sampling_rate": 16000}
        feature = dataclasses.replace(feature, architecture=base)
    assert feature.dim > 0
