"""tools/activate_python.sh: PATH, the allocator's settings, and the installer where there is no environment."""

from pathlib import Path

import pytest
from scratch_repository import ScratchRepository, write_executable

SOURCE = """#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "$0")/tools/activate_python.sh"
. "$(dirname "$0")/tools/activate_python.sh"
echo "path ${PATH}"
echo "mmap ${MALLOC_MMAP_THRESHOLD_} trim ${MALLOC_TRIM_THRESHOLD_} venv ${VIRTUAL_ENV}"
"""


@pytest.fixture
def recipe(repository: ScratchRepository) -> ScratchRepository:
    write_executable(repository.path / "recipe.sh", SOURCE)
    return repository


def test_without_environment_says_so_and_installs(recipe: ScratchRepository) -> None:
    status, output = recipe.run("recipe.sh")
    assert status == 0, output
    venv = recipe.path / "tools/venv"
    assert output.startswith(f"activate_python.sh: no finished environment in {venv}: running tools/install.sh\n")
    assert recipe.stamp() is not None
    lines = dict(line.split(" ", 1) for line in output.splitlines() if line.startswith(("path", "mmap")))
    assert lines["path"].startswith(f"{venv}/bin:")
    assert lines["path"].count(f"{venv}/bin") == 1
    assert lines["mmap"] == f"{2**30} trim {2**32} venv {venv}"


def test_with_environment_is_silent_and_keeps_the_users_settings(recipe: ScratchRepository) -> None:
    recipe.install()
    before = recipe.log
    status, output = recipe.run("recipe.sh", MALLOC_MMAP_THRESHOLD_="65536", MALLOC_TRIM_THRESHOLD_="131072")
    assert status == 0
    path, settings = output.splitlines()
    assert path.startswith("path ")
    assert settings.startswith("mmap 65536 trim 131072 ")
    assert recipe.log == before


def test_unfinished_environment_is_installed_again(recipe: ScratchRepository) -> None:
    recipe.install(FAKE_PIP_RC="1")
    status, output = recipe.run("recipe.sh")
    assert status == 0
    assert "starting afresh" in output
    assert recipe.stamp() is not None


def test_failed_installation_stops_the_recipe(recipe: ScratchRepository) -> None:
    status, output = recipe.run("recipe.sh", FAKE_PIP_RC="1")
    assert status == 1
    assert output.splitlines()[-1] == "activate_python.sh: error: tools/install.sh failed, see above"
    assert "mmap" not in output


def test_another_environment_by_name(recipe: ScratchRepository, tmp_path: Path) -> None:
    write_executable(tmp_path / "mine/bin/python", "#!/bin/sh\n")
    status, output = recipe.run("recipe.sh", ESPNET2_EXT_VENV=str(tmp_path / "mine"))
    assert status == 0
    assert output.startswith(f"path {tmp_path}/mine/bin:")
