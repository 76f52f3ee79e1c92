"""The commands of the documentation do what they say, word by word, on a corpus in miniature."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from doc_commands import ROOT, Block, Command, base, documents, shell_blocks
from recipe_copy import RecipeCopy

# Commands that another test runs, as patterns of `document: command`, and that test.
COVERED = {
    r"README\.md: \./egs/mini_vb/mtl1/run\.sh": "tests/recipes/test_mini_vb.py::test_run_sh_alone",
    r"egs/mini_vb/mtl1/README\.md: \./run\.sh": "tests/recipes/test_mini_vb.py::test_run_sh_alone",
    r".*: \./grid\.sh --rows .*": "tests/recipes/test_mini_vb.py::test_grid_prints_a_table_and_runs_no_cell_twice",
    r"egs/mini_vb/mtl1/README\.md: local/table\.sh": "tests/recipes/test_mini_vb.py::test_table_of_the_weightings",
    r".*: tests/run\.sh": "tests/tools/test_run.py::test_both_pythons_are_tested_the_full_run_last",
}
# What makes corpora, networks and trainings small: file, what stands there, what is put in its place.
MINIATURE = (
    ("egs/mini_vb/mtl1/local/data.sh", "num_speakers=48", "num_speakers=12"),
    ("egs/mini_vb/mtl1/local/data.sh", "clips_per_speaker=12", "clips_per_speaker=8"),
    ("egs/mini_vb/mtl1/conf/train.yaml", "max_epoch: 20", "max_epoch: 1"),
    ("egs/mini_vb/mtl1/conf/train.yaml", "[8, 16, 32, 64, 128]", "[4, 4, 4, 4, 8]"),
    ("egs/TEMPLATE/mtl1/conf/train_small.yaml", "max_epoch: 20", "max_epoch: 1"),
    ("egs/TEMPLATE/mtl1/conf/train_small.yaml", "[8, 16, 32, 64, 128]", "[4, 4, 4, 4, 8]"),
    ("egs/TEMPLATE/mtl1/mtl.sh", "bootstrap=1000", "bootstrap=20"),
)
DOCUMENTS = [document for document in documents() if shell_blocks(document)]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    RecipeCopy(folder, ".")
    for name, text, small in MINIATURE:
        content = (folder / name).read_text()
        assert content.count(text) == 1, f"{name}: {text}"
        (folder / name).write_text(content.replace(text, small))
    # The reader's own recordings.
    (folder / "recordings").mkdir()
    for name, rate in (("a.wav", 44100), ("b.mp3", 16000), ("recordings/c.flac", 8000)):
        soundfile.write(folder / name, 0.3 * np.sin(2 * np.pi * 220 * np.arange(rate) / rate), rate)
    return folder


def covered(command: Command) -> bool:
    return any(re.fullmatch(pattern, f"{command.block.document}: {command.text}") for pattern in COVERED)


def scripts(document: Path) -> Iterator[tuple[Block, str]]:
    """Yield what is run: the lines of each block and those that continue it, without what is marked or covered."""
    found: list[tuple[Block, list[str]]] = []
    for block in shell_blocks(document):
        lines = [command.text for command in block.commands if not command.needs and not covered(command)]
        if block.continues:
            found[-1][1].extend(lines)
        else:
            found.append((block, lines))
    yield from ((block, "\n".join(lines)) for block, lines in found if lines)


@pytest.mark.parametrize("document", DOCUMENTS, ids=map(str, DOCUMENTS))
def test_commands_run(document: Path, repository: Path) -> None:
    environment = os.environ | {
        "ESPNET2_EXT_VENV": sys.prefix,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(repository),
        "HOME": str(repository / "home"),
    }
    environment.pop("OMP_NUM_THREADS", None)
    shutil.rmtree(repository / "egs/mycorpus", ignore_errors=True)  # each document makes it
    for block, script in scripts(document):
        folder = repository / base(document)
        assert folder.is_dir(), f"{document} is of a recipe that the copy does not hold"
        result = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", script], cwd=folder, env=environment, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=900,
        )  # fmt: skip
        assert result.returncode == 0, f"{document}:{block.line}:\n{(result.stdout + result.stderr)[-6000:]}"


@pytest.mark.parametrize("test", sorted(set(COVERED.values())))
def test_covering_tests_exist(test: str) -> None:
    path, name = test.split("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.M), test


def test_every_pattern_covers_a_command() -> None:
    commands = [command for document in DOCUMENTS for block in shell_blocks(document) for command in block.commands]
    named = [f"{command.block.document}: {command.text}" for command in commands]
    unused = [pattern for pattern in COVERED if not any(re.fullmatch(pattern, name) for name in named)]
    assert not unused, unused
