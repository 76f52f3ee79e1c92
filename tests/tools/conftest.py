"""The scratch repository as a fixture."""

import os
import shutil
from pathlib import Path

import pytest
from scratch_repository import FAKE_PYTHON, ROOT, ScratchRepository, write_executable


@pytest.fixture
def repository(tmp_path: Path) -> ScratchRepository:
    path = tmp_path / "repo"
    shutil.copytree(ROOT / "tools", path / "tools", ignore=shutil.ignore_patterns("venv*", "__pycache__"))
    (path / "tests").mkdir()
    shutil.copy(ROOT / "tests/run.sh", path / "tests/run.sh")
    shutil.copy(ROOT / "setup.py", path / "setup.py")
    python = write_executable(tmp_path / "bin/python3", FAKE_PYTHON)
    # The disk of the machine that runs the tests does not matter, but for the test that asks.
    write_executable(tmp_path / "bin/df", '#!/bin/sh\necho head\necho "disk 1 1 ${FAKE_FREE_MB:-90000} 1% /"\n')
    environment = {
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "PYENV_ROOT": str(tmp_path / "pyenv"),
        "FAKE_LOG": str(tmp_path / "log"),
        "CXX": "bash",
    }
    return ScratchRepository(path, python, environment)
