"""tests/run.sh: which Pythons it tests, its last line and its status."""

from pathlib import Path

import pytest
from scratch_repository import FAKE_PYTHON, ScratchRepository, write_executable


@pytest.fixture
def both(repository: ScratchRepository, tmp_path: Path) -> ScratchRepository:
    for name, version in (("python3.12", "3.12.1"), ("python3.11", "3.11.7")):
        write_executable(tmp_path / "bin" / name, FAKE_PYTHON.replace("${FAKE_VERSION:-3.11.7}", version))
    return repository


def pytest_calls(repository: ScratchRepository) -> list[str]:
    """The calls of pytest, without the paths of the scratch repository."""
    return [line.replace(f"{repository.path}/", "") for line in repository.log if line.startswith("pytest")]


def test_help(repository: ScratchRepository) -> None:
    status, output = repository.run("tests/run.sh", "--help")
    assert status == 0
    assert "--python" in output
    assert repository.log == []


def test_option_without_value(repository: ScratchRepository) -> None:
    status, output = repository.run("tests/run.sh", "--python")
    assert (status, len(output.splitlines())) == (2, 1)


def test_both_pythons_are_tested_the_full_run_last(both: ScratchRepository) -> None:
    status, output = both.run("tests/run.sh")
    assert status == 0, output
    assert output.splitlines()[-1] == "== 1 passed with 3.11.7 =="
    assert "== 1 passed with 3.12.1 ==" in output
    other, full = pytest_calls(both)
    left_out = "--ignore tests/recipes --ignore tests/bench --ignore tests/consistency"
    assert other.endswith(f"{left_out} in tools/venv-3.12/bin/python")
    assert "--ignore" not in full
    assert full.endswith("in tools/venv/bin/python")
    installed = [line for line in both.log if "--editable" in line]
    assert all("[baseline,hub,onnx,ssl,test,video]" in line for line in installed)
    assert len(installed) == 2


@pytest.mark.parametrize("failing", ["3.11.7", "3.12.1"])
def test_last_line_is_of_the_failed_run(both: ScratchRepository, failing: str) -> None:
    status, output = both.run("tests/run.sh", FAKE_FAILING=failing)
    assert status == 1
    assert output.splitlines()[-1] == f"== 1 passed with {failing} =="
    assert len(pytest_calls(both)) == 2


def test_arguments_go_to_pytest_with_one_python(both: ScratchRepository) -> None:
    status, _ = both.run("tests/run.sh", "-k", "two words", "tests/mtl")
    assert status == 0
    (call,) = pytest_calls(both)
    assert call.endswith("-k two words tests/mtl in tools/venv/bin/python")


def test_another_python_gets_its_own_environment(both: ScratchRepository, tmp_path: Path) -> None:
    both.run("tests/run.sh", "-x")
    status, output = both.run("tests/run.sh", "--python", str(tmp_path / "bin/python3.12"))
    assert status == 0, output
    assert pytest_calls(both)[-1].endswith("in tools/venv-3.12/bin/python")


def test_failed_installation_is_a_failure(repository: ScratchRepository) -> None:
    status, output = repository.run("tests/run.sh", "-x", FAKE_PIP_RC="1")
    assert status == 1
    assert "pip failed" in output
    assert pytest_calls(repository) == []
