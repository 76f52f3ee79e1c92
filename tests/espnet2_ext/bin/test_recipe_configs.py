"""Every training configuration of every recipe resolves to options that exist."""

from pathlib import Path

import pytest

from espnet2_ext.bin.resolve_config import resolve_config
from espnet2_ext.feature import load_feature

ROOT = Path(__file__).parents[3]
CONFIGS = sorted(ROOT.glob("egs/*/*/conf/**/train*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=[str(path.relative_to(ROOT)) for path in CONFIGS])
def test_base_is_the_recipes_own(path: Path) -> None:
    config = resolve_config(path)
    recipe = resolve_config(ROOT.joinpath(*path.relative_to(ROOT).parts[:3]) / "conf/train.yaml")
    assert "base" not in config
    # A configuration with another encoder has it in its name.
    if config["encoder"] not in path.stem:
        assert config["encoder"] == recipe["encoder"]
        if path.parent.name == "tuning":
            assert config["encoder_conf"] == recipe["encoder_conf"]
    assert config["max_epoch"] == config["scheduler_conf"]["T_max"]
    balance = config.get("weighting_conf", {}).get("balance")
    if isinstance(balance, dict) and balance["kind"] == "scheduled":
        assert balance["epochs"] == config["max_epoch"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("egs/*/*/conf/feature*.yaml")))
def test_features_can_be_built(path: Path) -> None:
    assert load_feature(path).dim > 0
