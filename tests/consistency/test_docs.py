"""What the documentation names exists: scripts and their options, modules, files, links."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from doc_commands import NEEDS, ROOT, Command, base, blocks, documents, shell_blocks
from recipe_copy import RecipeCopy

DOCUMENTS = documents()
COMMANDS = [command for document in DOCUMENTS for block in shell_blocks(document) for command in block.commands]
# Options whose value holds options of another program.
NESTED = {
    "--mtl_args": ["python", "-m", "espnet2_ext.bin.mtl_train"],
    "--pack_opts": ["python", "-m", "espnet2_ext.bin.mtl_pack", "pack"],
    "--table_opts": ["python", "-m", "espnet2_ext.bin.mtl_table"],
    "--local_data_opts": ["local/data.sh"],
}
# What is not ours: shell, coreutils, and tools that installing brings.
FOREIGN = {
    "cd",
    "export",
    "cp",
    "cut",
    "head",
    "git",
    "tensorboard",
    "wandb",
    "cat",
    "ls",
    "tar",
    "unzip",
    "pip",
    "sudo",
}
# They run the command that follows their own options.
WRAPPERS = {"srun", "sbatch", "nice", "time", "env"}
# Files that runs make or users bring.
GENERATED = re.compile(
    r"(^|mtl1/)(exp|data|dump|downloads|report)(/|$)|^(tools/venv|egs/mycorpus)|^(config|env|train|task_stats)\.yaml$|\.old$"
)
TOP = {"egs", "espnet2_ext", "utils", "tools", "tests", "docs", "conf", "local", ".ci"}


class CommandError(Exception):
    """A command that would not run as it stands."""


def require(true: bool, message: str) -> None:
    if not true:
        raise CommandError(message)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with a recipe made by setup.sh, as the documents have it."""
    folder = tmp_path_factory.mktemp("docs")
    RecipeCopy(folder, ".")
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["egs/TEMPLATE/mtl1/setup.sh", "egs/mycorpus/mtl1"], cwd=folder, check=True, capture_output=True)
    return folder


@cache
def help_of(folder: Path, repository: Path, *command: str) -> str:
    """What a program prints for --help; dashes in names as underscores."""
    environment = os.environ | {"ESPNET2_EXT_VENV": sys.prefix, "PYTHONPATH": str(repository)}
    words = [sys.executable if word in ("python", "python3") else word for word in (*command, "--help")]
    result = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    require(result.returncode == 0, f"{' '.join(command)} --help: {result.stderr[-1000:]}")
    return re.sub(r"(?<=\w)-(?=\w)", "_", result.stdout)


def program(words: list[str], folder: Path) -> list[str] | None:
    """The program of a command as what --help is asked of; None where it is not ours."""
    if words[0] in ("python", "python3") and words[1] == "-m":
        if not words[2].startswith("espnet2_ext"):
            return None
        require(importlib.util.find_spec(words[2]) is not None, f"no module {words[2]}")
        subcommand = [word for word in words[3:4] if word.isalpha()]
        return [*words[:3], *subcommand]
    script = words[1] if words[0] in ("python", "python3", "bash", ".") else words[0]
    if "/" not in script:
        require(script in FOREIGN, f"{script}: neither a script of the repository nor in FOREIGN")
        return None
    require((folder / script).is_file(), f"{script}: no such file in {folder}")
    if words[0] == ".":
        return None
    require(words[0] != script or os.access(folder / script, os.X_OK), f"{script} is not executable")
    return [*words[: words.index(script)], script if words[0] != script else f"./{script.removeprefix('./')}"]


def check_options(command: list[str], words: list[str], folder: Path, repository: Path) -> None:
    """Every option among words is one that the command's help tells of."""
    for place, word in enumerate(words):
        if word == "--":
            command = ["./mtl.sh"]
        elif word.startswith("--") and " " not in word:
            name = word.split("=")[0].replace("-", "_").replace("__", "--", 1)
            found = re.search(rf"(?<![\w-]){name}(?!\w)", help_of(folder, repository, *command))
            require(found is not None, f"{' '.join(command)} has no option {word}")
            if name in NESTED:
                check_options(NESTED[name], words[place + 1].split(), folder, repository)


def check_command(command: Command, folder: Path, repository: Path) -> Path:
    """Check a command line that is given in a folder; return the folder that it ends in."""
    for words in command.simple():
        while words and words[0] in WRAPPERS:
            words = next(words[i:] for i, word in enumerate(words) if "/" in word and not word.startswith("-"))
        if words[0] == "cd":
            folder = (folder / words[1]).resolve()
            require(folder.is_dir(), f"{words[1]}: no such folder")
            continue
        found = program(words, folder)
        if found:
            check_options(found, words[1:], folder, repository)
    return folder


@pytest.mark.parametrize("document", DOCUMENTS, ids=map(str, DOCUMENTS))
def test_commands_exist(document: Path, repository: Path) -> None:
    """Also of commands that no test can run."""
    problems = []
    folder = repository / base(document)
    for block in shell_blocks(document):
        if not block.continues:
            folder = repository / base(document)
        for command in block.commands:
            try:
                folder = check_command(command, folder, repository)
            except CommandError as error:
                problems.append(f"{command}: {error}")
    assert not problems, "\n".join(problems)


def test_what_is_checked() -> None:
    """The documents' main commands are among those that were found."""
    texts = {command.text for command in COMMANDS}
    assert {"./egs/mini_vb/mtl1/run.sh", "tests/run.sh", "egs/TEMPLATE/mtl1/setup.sh egs/mycorpus/mtl1"} <= texts


def test_needs_are_of_the_known_kinds() -> None:
    unknown = [str(command) for command in COMMANDS if not set(command.needs) <= NEEDS]
    assert not unknown, unknown


def test_no_block_escapes() -> None:
    """Commands stand in sh blocks: neither indented nor in a fence without a language."""
    found = []
    for document in DOCUMENTS:
        found += [f"{b.document}:{b.line}: name the language" for b in blocks(document) if not b.language]
        outside = re.sub(r"^```.*?^```", "", (ROOT / document).read_text(), flags=re.M | re.S)
        found += [
            f"{document}: {line.strip()}" for line in outside.splitlines() if re.match(r" {4,}(\./|python|cd )", line)
        ]
        found += [f"{b.document}:{b.line}: here-document" for b in shell_blocks(document) if "<<" in b.text]
    assert not found, "\n".join(found)


def test_python_blocks_compile_and_import_what_exists() -> None:
    found = [block for document in DOCUMENTS for block in blocks(document) if block.language == "python"]
    assert found
    for block in found:
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module or "")
                assert all(hasattr(module, alias.name) for alias in node.names), f"{block.document}:{block.line}"


@pytest.mark.parametrize("document", [*DOCUMENTS, Path("CHANGELOG.md")], ids=str)
def test_links_resolve(document: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    missing = [link for link in links if link and not (ROOT / document.parent / link).exists()]
    assert not missing, missing


@pytest.mark.parametrize("document", [*DOCUMENTS, Path("CHANGELOG.md")], ids=str)
def test_files_in_backticks_exist(document: Path) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    names = {Path(path).name for path in tracked}
    outside = re.sub(r"^```.*?^```", "", (ROOT / document).read_text(encoding="utf-8"), flags=re.M | re.S)
    missing = []
    for text in re.findall(r"`([^`\n]+)`", outside):
        word = text.split()[0].removeprefix("./")
        if GENERATED.search(word) or not re.fullmatch(r"[\w.*<>@{},/-]+", word):
            continue
        if "/" in word and word.split("/")[0] in TOP:
            pattern = re.sub(r"<\w+>", "*", re.sub(r"\{[^}]*\}", "*", word))
            recipes = [document.parent, Path("egs/TEMPLATE/mtl1"), Path("egs/TEMPLATE/mtl1/skeleton")]
            recipes += [Path("egs/mini_vb/mtl1")] if len(document.parts) < 4 else []
            if not any(list((ROOT / place).glob(pattern)) for place in (Path(), *recipes)):
                missing.append(text)
        elif re.fullmatch(r"[\w-]+\.(sh|py|yaml|md)", word) and word not in names:
            missing.append(text)
    assert not missing, missing
