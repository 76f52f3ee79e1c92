"""tools/check_install.py on described environments: what is missing, wrong or in order."""

import importlib.util
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_install", ROOT / "tools/check_install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for minor in ("3.11", "3.12", "3.13"):
        (tmp_path / f"constraints-py{minor}.txt").write_text("# pins\nTorch==2.11.0\nnumpy==2.4.6\nav==18.1.0\n")
    monkeypatch.setattr(module, "TOOLS", tmp_path)
    return module


def describe(monkeypatch: pytest.MonkeyPatch, installed: dict[str, str]) -> None:
    """Let importlib.metadata know exactly these distributions."""

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    required = [
        'old==1; python_version < "3"',
        "torch<2.12",
        "numpy>=2.0",
        'av; extra == "video"',
        'tqdm; extra == "dev"',
    ]
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", {"espnet2-ext": required}.get)


GOOD = {"espnet2-ext": "0.1.0", "packaging": "26.3", "torch": "2.11.0+cpu", "numpy": "2.4.6", "tqdm": "4.0"}


def test_complete_core(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    describe(monkeypatch, GOOD)
    assert script.main(["--no_gpu"]) == 0
    output, errors = capsys.readouterr()
    rows = dict(line.split(None, 1) for line in output.splitlines() if line.startswith("  "))
    assert rows["torch"] == "2.11.0+cpu"
    assert rows["video"] == f"missing av: {tmp_path}/install.sh --extras video"
    assert rows["dev"] == "installed"
    assert "old" not in rows
    assert int(rows["CPUs"].split()[0]) >= 1
    assert errors == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"torch": None}, "torch is missing"),
        ({"numpy": "1.26.4"}, "numpy is 1.26.4, tested is 2.4.6"),
    ],
)
def test_core_that_is_not_the_tested_one(
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str | None],
    complaint: str,
) -> None:
    describe(monkeypatch, {name: version for name, version in {**GOOD, **change}.items() if version})
    assert script.main(["--no_gpu"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line
    assert "install.sh" in line


def test_package_itself_is_missing(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    describe(monkeypatch, {})
    assert script.main(["--no_gpu"]) == 1
    assert "install.sh" in capsys.readouterr().out


def test_this_environment(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("check_install_here", ROOT / "tools/check_install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main([]) == 0
    output = capsys.readouterr().out
    for name in ("torch", "espnet", "kaldiio", "libsndfile", "CPUs", "GPU"):
        assert f"\n  {name}" in output
