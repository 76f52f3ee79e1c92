"""One small experiment for the tests of a module."""

from pathlib import Path

import pytest
from tiny_model import make_model

from espnet2_ext.inference import MTLInference


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "exp"
    make_model(path)
    return path


@pytest.fixture(scope="module")
def inference(exp: Path) -> MTLInference:
    return MTLInference.from_pretrained(exp)
