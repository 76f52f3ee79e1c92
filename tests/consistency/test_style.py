"""The whole repository keeps its own rules: format, shell, sizes, layers of imports, no leftovers."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIZED = ("espnet2_ext", "utils", "tools", "egs")
MODULE_LINES, CLASS_LINES, FUNCTION_LINES = 300, 150, 60
CORPORA = re.compile(r"exvo|a-?vb\b|iemocap|mini_vb|freeburst|hume", re.I)
# Spelt in pieces, so that this file does not hold what it looks for.
LEFTOVERS = re.compile("TO" + "DO|FIX" + "ME|XX" + "X|pragma: no " + "cover|for " + "now|NotImplemented" + "Error")
# What the base package may not need: extras, and ESPnet outside the modules that wire training.
OPTIONAL = {
    "av",
    "cv2",
    "transformers",
    "safetensors",
    "opensmile",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "huggingface_hub",
}
MAY_IMPORT_ESPNET = (
    "espnet2_ext/tasks/",
    "espnet2_ext/train/",
    "espnet2_ext/mtl/espnet_model.py",
    "espnet2_ext/bin/mtl_train.py",
)


def tracked() -> list[Path]:
    """Every file of the repository, relative to its root; a link is its target's business."""
    result = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = map(Path, result.stdout.splitlines())
    return [path for path in paths if (ROOT / path).is_file() and not (ROOT / path).is_symlink()]


FILES = tracked()
PYTHON = [path for path in FILES if path.suffix == ".py"]


def is_shell(path: Path) -> bool:
    """Tell a shell script by its name or its first line."""
    if path.suffix == ".sh":
        return True
    if path.suffix:
        return False
    with (ROOT / path).open("rb") as stream:
        return re.match(rb"#!.*\b(ba|da)?sh\b", stream.readline()) is not None


def run(*command: str) -> None:
    """Run a checker in the root; its report is the failure's message."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"{' '.join(command[:3])}:\n{result.stdout}{result.stderr}"


def tool(name: str) -> str:
    """Return the path of a checker that is installed beside this Python, or on PATH."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    assert found, f"{name} is missing: tools/install.sh --extras test"
    return found


def test_ruff() -> None:
    run(tool("ruff"), "check", "--no-cache", *map(str, PYTHON))


def test_ruff_format() -> None:
    run(tool("ruff"), "format", "--no-cache", "--check", *map(str, PYTHON))


def test_shellcheck() -> None:
    scripts = [str(path) for path in FILES if is_shell(path)]
    assert "tests/run.sh" in scripts
    assert ".ci/run" in scripts
    run(tool("shellcheck"), "-x", *scripts)


def test_scripts_can_be_run() -> None:
    for path in FILES:
        if not path.suffix and is_shell(path):
            assert (ROOT / path).stat().st_mode & 0o111, f"{path} is not executable"


def sized() -> list[Path]:
    """Python files whose size is limited."""
    return [path for path in PYTHON if path.parts[0] in SIZED]


def definitions(path: Path) -> Iterator[tuple[ast.AST, str, int]]:
    """Yield each class and function of a file with its name and its length in lines."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node, node.name, node.end_lineno - node.lineno + 1


def test_sizes() -> None:
    too_long = []
    for path in sized():
        lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
        if lines > MODULE_LINES:
            too_long.append(f"{path}: {lines} lines (at most {MODULE_LINES})")
        for node, name, length in definitions(path):
            limit = CLASS_LINES if isinstance(node, ast.ClassDef) else FUNCTION_LINES
            if length > limit:
                too_long.append(f"{path}: {name} has {length} lines (at most {limit})")
    assert not too_long, "\n".join(too_long)


def matches(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """Return `file:line: text` for each line in which a pattern is found."""
    found = []
    for path in paths:
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path}:{number}: {line.strip()}")
    return found


def test_no_leftovers() -> None:
    found = matches(LEFTOVERS, [path for path in FILES if path.suffix == ".py" or is_shell(path)])
    assert not found, "\n".join(found)


def test_no_corpus_in_shared_code() -> None:
    found = matches(CORPORA, [path for path in PYTHON if path.parts[0] in ("espnet2_ext", "utils")])
    found += [str(path) for path in FILES if path.parts[0] in ("espnet2_ext", "utils") and CORPORA.search(str(path))]
    assert not found, "\n".join(found)


def imports(path: Path) -> Iterator[str]:
    """Yield each top-level package that a file imports anywhere."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0]


def test_espnet_is_imported_only_where_training_is_wired() -> None:
    found = [
        f"{path} imports {name}"
        for path in PYTHON
        if path.parts[0] in ("espnet2_ext", "utils") and not str(path).startswith(MAY_IMPORT_ESPNET)
        for name in imports(path)
        if name in ("espnet", "espnet2", "espnet3")
    ]
    assert not found, "\n".join(found)


def modules() -> list[str]:
    """Names of the modules of the package that do not import ESPnet, as Python imports them."""
    paths = [path for path in PYTHON if path.parts[0] == "espnet2_ext" and not str(path).startswith(MAY_IMPORT_ESPNET)]
    return sorted(".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths)


def test_base_package_imports_without_extras() -> None:
    names = modules()
    assert "espnet2_ext.errors" in names
    program = (
        "import importlib, sys\n"
        f"for name in {sorted(OPTIONAL)!r}: sys.modules[name] = None\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print(*(name for name in sys.modules if name.startswith(('espnet2.tasks', 'espnet2.train.collate_fn'))))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (
        result.stdout.split() == []
    )  # ESPnet's task base takes seconds to import, its collate module asks the network
