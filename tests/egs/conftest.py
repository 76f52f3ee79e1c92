"""The miniature of IEMOCAP, which several files of tests read."""

import shutil
from pathlib import Path

import pytest
from iemocap_miniature import MiniCorpus, make_corpus


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MiniCorpus]:
    folder = tmp_path_factory.mktemp("corpus")
    return folder, make_corpus(folder, seconds=0.02)


@pytest.fixture
def corpus(mini: tuple[Path, MiniCorpus], tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(mini[0], tmp_path / "corpus")
