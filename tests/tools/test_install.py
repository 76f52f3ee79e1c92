"""tools/install.sh on a stand-in for Python and pip: options, stamp, interruption, lock."""

import os
import re
import runpy
import signal
import time
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement
from scratch_repository import ROOT, ScratchRepository


def wait_for(condition: str, path: Path) -> None:
    """Wait until a text stands in a file."""
    for _ in range(600):
        if path.exists() and condition in path.read_text():
            return
        time.sleep(0.05)
    pytest.fail(f"{condition!r} did not appear in {path}")


def setup_arguments(monkeypatch: pytest.MonkeyPatch) -> dict:
    """Return what setup.py hands to setuptools."""
    arguments: dict = {}
    monkeypatch.setattr(setuptools, "setup", arguments.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path("setup.py")
    return arguments


def test_help_prints_the_defaults(repository: ScratchRepository) -> None:
    status, output = repository.run("tools/install.sh", "--help")
    assert status == 0
    for text in ("--python", "--extras", "--venv", str(repository.python), "tools/venv"):
        assert text in output
    assert repository.log == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--speed"], "--speed"),
        (["--extras"], "--extras"),
        (["--extras", "test,nonsense"], "nonsense"),
        (["--python", "/nonexistent/python"], "/nonexistent/python"),
    ],
)
def test_wrong_option_is_one_line_and_makes_nothing(
    repository: ScratchRepository, options: list[str], named: str
) -> None:
    status, output = repository.run("tools/install.sh", *options)
    assert status == 1
    assert len(output.splitlines()) == 1
    assert named in output
    assert not (repository.path / "tools/venv").exists()


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"FAKE_VERSION": "3.10.4"}, "3.10.4"),
        ({"FAKE_ENSUREPIP_RC": "1"}, "apt-get install python3.11-venv"),
        ({"FAKE_FREE_MB": "7000"}, "7000 MB"),
        ({"CXX": "no-such-compiler"}, "apt-get install g++ python3.11-dev"),
    ],
)
def test_unfit_machine_is_refused_before_anything_is_installed(
    repository: ScratchRepository, variables: dict[str, str], named: str
) -> None:
    status, output = repository.install(**variables)
    assert status == 1
    assert len(output.splitlines()) == 1
    assert named in output
    assert repository.log == []


def test_installs_own_pip_then_the_package_under_the_constraints(repository: ScratchRepository) -> None:
    status, output = repository.install("--extras", "test,baseline", PIP_USER="1")
    assert status == 0, output
    venv, pip, package, check = repository.log
    assert venv == f"venv {repository.path}/tools/venv"
    assert re.search(r"pip install .*pip==23\.2\.1 ", pip)
    assert f"--editable {repository.path}[baseline,test] PIP_CONSTRAINT=constraints-py3.11.txt PIP_USER=0" in package
    assert check.startswith("pip check")
    assert re.search(r"^\[ *\d+ s\] 3/4", output, re.M)
    assert repository.stamp() is not None


def test_python_312_gets_its_own_constraints(repository: ScratchRepository) -> None:
    status, output = repository.install("--venv", "tools/venv-3.12", FAKE_VERSION="3.12.1", CXX="no-such-compiler")
    assert status == 0, output
    assert "PIP_CONSTRAINT=constraints-py3.12.txt" in repository.log[2]
    assert (repository.path / "tools/venv-3.12/.stamp").exists()


def test_second_call_asks_pip_nothing(repository: ScratchRepository) -> None:
    repository.install("--extras", "test")
    before = repository.log
    for options in ([], ["--extras", "test"]):
        status, output = repository.run("tools/install.sh", *options)
        assert status == 0
        assert "up to date" in output
        assert repository.install(*options)[0] == 0
    assert repository.log == before


def test_extras_add_up(repository: ScratchRepository) -> None:
    repository.install("--extras", "test")
    repository.install("--extras", "baseline")
    assert any("[baseline,test]" in line for line in repository.log)
    before = repository.log
    repository.install("--extras", "test")
    assert repository.log == before


@pytest.mark.parametrize("changed", ["setup.py", "tools/constraints-py3.11.txt"])
def test_changed_input_installs_again(repository: ScratchRepository, changed: str) -> None:
    repository.install()
    before = len(repository.log)
    with (repository.path / changed).open("a") as stream:
        stream.write("# changed\n")
    status, _ = repository.install()
    assert status == 0
    assert any("--editable" in line for line in repository.log[before:])
    assert not any(line.startswith("venv") for line in repository.log[before:])


def test_failed_pip_leaves_no_stamp_and_the_next_call_starts_afresh(repository: ScratchRepository) -> None:
    status, output = repository.install(FAKE_PIP_RC="1")
    assert status == 1
    assert output.splitlines()[-1].startswith("install.sh: error: pip failed")
    assert repository.stamp() is None
    (repository.path / "tools/venv/lib/torn").touch()
    status, output = repository.run("tools/install.sh")
    assert status == 0, output
    assert "starting afresh" in output
    assert not (repository.path / "tools/venv/lib/torn").exists()
    assert repository.stamp() is not None


def test_kill_while_adding_an_extra_leaves_no_stamp(repository: ScratchRepository, tmp_path: Path) -> None:
    repository.install("--extras", "test")
    process = repository.popen("tools/install.sh", "--extras", "video", FAKE_PIP_WAIT=str(tmp_path / "never"))
    wait_for("[test,video]", Path(repository.environment["FAKE_LOG"]))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert repository.stamp() is None
    status, output = repository.run("tools/install.sh", "--extras", "test,video")
    assert status == 0
    assert "starting afresh" in output
    stamp = repository.stamp()
    assert stamp is not None
    assert stamp["extras"] == "test,video"


def test_two_calls_at_once_install_once(repository: ScratchRepository, tmp_path: Path) -> None:
    go = tmp_path / "go"
    first = repository.popen("tools/install.sh", FAKE_PIP_WAIT=str(go))
    wait_for("--editable", Path(repository.environment["FAKE_LOG"]))
    second = repository.popen("tools/install.sh", FAKE_PIP_WAIT=str(go))
    assert second.stdout is not None
    assert "is running: waiting" in second.stdout.readline()
    go.touch()
    first.communicate(timeout=60)
    output, _ = second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "up to date" in output
    assert sum("--editable" in line for line in repository.log) == 1


def test_folder_of_something_else_is_left_alone(repository: ScratchRepository, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("x")
    status, output = repository.install("--venv", str(other))
    assert status == 1
    assert "holds something else" in output
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


def test_another_python_version_than_the_environment_is_refused(repository: ScratchRepository) -> None:
    repository.install()
    fake = repository.path / "tools/venv/bin/python"
    fake.write_text(fake.read_text().replace("${FAKE_VERSION:-3.11.7}", "3.11.7"))
    status, output = repository.install(FAKE_VERSION="3.12.1")
    assert status == 1
    assert "holds Python 3.11.7, not 3.12.1" in output
    assert repository.stamp() is not None


def test_moved_environment_is_made_afresh(repository: ScratchRepository) -> None:
    repository.install("--extras", "test")
    (repository.path / "tools/venv").rename(repository.path / "tools/venv-moved")
    status, output = repository.install("--venv", "tools/venv-moved")
    assert status == 0, output
    assert "starting afresh" in output
    assert "[test]" in repository.log[-2]


def test_installer_knows_the_extras_of_setup(monkeypatch: pytest.MonkeyPatch) -> None:
    line = re.search(r'^known_extras="(.*)"$', (ROOT / "tools/install.sh").read_text(), re.M)
    assert line is not None
    assert set(line[1].split()) == set(setup_arguments(monkeypatch)["extras_require"])


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_constraints_pin_what_setup_asks_for(monkeypatch: pytest.MonkeyPatch, python: str) -> None:
    arguments = setup_arguments(monkeypatch)
    lines = (ROOT / f"tools/constraints-py{python}.txt").read_text().splitlines()
    pins = {}
    for line in lines:
        if not line.startswith("#"):
            name, version = line.split("==")  # nothing but exact versions: no path, no address
            pins[re.sub(r"[-_.]+", "-", name).lower()] = version
    for text in [*arguments["install_requires"], *arguments["extras_require"]["dev"]]:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            assert requirement.specifier.contains(pins[requirement.name.lower()]), (text, pins)
    assert pins["torch"] == pins["torchaudio"] == "2.11.0"
    assert pins["espnet"] == ("202511" if python == "3.11" else "202611")
