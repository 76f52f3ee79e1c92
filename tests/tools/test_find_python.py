"""tools/find_python.sh finds an interpreter that can make an environment."""

from pathlib import Path

from scratch_repository import FAKE_PYTHON, ScratchRepository, write_executable


def fake(path: Path, version: str) -> Path:
    """Write a stand-in of one fixed version."""
    return write_executable(path, FAKE_PYTHON.replace("${FAKE_VERSION:-3.11.7}", version))


def only(repository: ScratchRepository, tmp_path: Path, *extra: str) -> dict[str, str]:
    """A PATH on which no Python of the machine is found."""
    write_executable(tmp_path / "shell/bash", '#!/bin/sh\nexec /bin/bash "$@"\n')
    return {"PATH": ":".join([*extra, str(tmp_path / "shell")])}


def test_python3_is_taken_where_its_version_is_supported(repository: ScratchRepository) -> None:
    assert repository.run("tools/find_python.sh") == (0, f"{repository.python}\n")


def test_unsupported_python3_gives_way_to_a_supported_one(repository: ScratchRepository, tmp_path: Path) -> None:
    fake(tmp_path / "bin/python3", "3.9.1")
    expected = fake(tmp_path / "bin/python3.11", "3.11.9")
    assert repository.run("tools/find_python.sh") == (0, f"{expected}\n")


def test_version_on_path(repository: ScratchRepository, tmp_path: Path) -> None:
    expected = fake(tmp_path / "bin/python3.12", "3.12.4")
    assert repository.run("tools/find_python.sh", "3.12") == (0, f"{expected}\n")


def test_version_that_pyenv_has(repository: ScratchRepository, tmp_path: Path) -> None:
    write_executable(
        tmp_path / "bin/python3.12", "#!/bin/sh\nexit 127\n"
    )  # pyenv's shim of a version that is not active
    expected = fake(tmp_path / "pyenv/versions/3.12.1/bin/python3.12", "3.12.1")
    assert repository.run("tools/find_python.sh", "3.12") == (0, f"{expected}\n")


def test_none(repository: ScratchRepository, tmp_path: Path) -> None:
    status, output = repository.run("tools/find_python.sh", "3.12", **only(repository, tmp_path))
    assert status == 1
    assert output == ""
