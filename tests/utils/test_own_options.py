"""A recipe's own options are taken out of those for mtl.sh."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = """#!/usr/bin/env bash
# What the recipe does.
#   --team NAME   the team
set -euo pipefail
own_options="my_root team"
my_root=none
team=team
. {helper}
printf '%s|' "${{my_root}}" "${{team}}" "${{arguments[@]}}"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "run.sh").write_text(RUN.format(helper=ROOT / "utils/own_options.sh"))
    (tmp_path / "mtl.sh").write_text("#!/bin/sh\necho help of mtl.sh $@\n")
    (tmp_path / "mtl.sh").chmod(0o755)
    return tmp_path


def run(recipe: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["bash", "run.sh", *arguments], cwd=recipe, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--nj", "2"], "none|team|--nj|2|"),
        (["--my_root", "a b", "--nj=2", "--team=x"], "a b|x|--nj=2|"),
        (["--my-root=a=b", "--mtl_args", "--lr 1 --team y"], "a=b|team|--mtl_args|--lr 1 --team y|"),
        (["--my_root", "--team", "--nj", ""], "--team|team|--nj||"),
        (["team", "--teams", "x"], "none|team|team|--teams|x|"),
    ],
)
def test_own_options_are_taken_out(recipe: Path, arguments: list[str], expected: str) -> None:
    result = run(recipe, *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stdout == expected


def test_a_value_is_needed(recipe: Path) -> None:
    result = run(recipe, "--nj", "2", "--team")
    assert result.returncode == 1
    assert result.stderr == "run.sh: error: --team: the option needs a value\n"


def test_help_is_that_of_both(recipe: Path) -> None:
    result = run(recipe, "--team", "x", "--help")
    assert result.returncode == 0
    assert result.stdout == "What the recipe does.\n  --team NAME   the team\nhelp of mtl.sh --help\n"
