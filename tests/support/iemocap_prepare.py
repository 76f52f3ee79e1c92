"""Runs the recipe iemocap's local/prepare_data.py on miniatures, and reads what it wrote."""

import importlib
import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from iemocap_miniature import MiniTurn, write_evaluation

from espnet2_ext.errors import run_cli
from espnet2_ext.fileio.table import read_table

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "egs/iemocap/mtl1"
Tables = dict[str, dict[str, str]]
# Protocols and their folds.
FOLDS = {"paper": 1, "loso5": 5, "loso10": 10}
DEFAULTS = {
    "protocol": "paper", "dialogs": "improvised", "classes": "9", "label_rule": "paper", "keep_unlabelled": "false",
    "label_seed": "0", "name": "folds",
}  # fmt: skip


def load_main() -> Callable[[], None]:
    """Return local/prepare_data.py's main; its modules' names stay free for those of other recipes."""
    local = RECIPE / "local"
    others = {path.stem: sys.modules.pop(path.stem, None) for path in local.glob("*.py")}
    sys.path.insert(0, str(local))
    try:
        return importlib.import_module("prepare_data").main
    finally:
        sys.path.remove(str(local))
        for name, module in others.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


MAIN = load_main()


class Result(NamedTuple):
    """How a program ended."""

    status: int
    stdout: str
    stderr: str


def prepare(root: Path, data: Path, **options: str) -> Result:
    """Run local/prepare_data.py in this process."""
    given = [word for name, value in (DEFAULTS | options).items() for word in (f"--{name}", value)]
    stdout, stderr = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
        patch.setattr(sys, "argv", ["prepare_data.py", "--root", str(root), "--data_dir", str(data), *given])
        with pytest.raises(SystemExit) as end:
            run_cli(MAIN)
    return Result(int(end.value.code), stdout.getvalue(), stderr.getvalue())


def prepared(root: Path, data: Path, **options: str) -> list[dict[str, Tables]]:
    """Run it successfully; return every table by fold, set and name, the utterances under the release's ids."""
    result = prepare(root, data, **options)
    assert result.status == 0, result.stderr
    count = FOLDS[options.get("protocol", "paper")]
    assert sorted(path.name for path in (data / "folds").iterdir()) == sorted(f"fold{i + 1}" for i in range(count))
    return [
        {name: tables(data / f"folds/fold{number}" / name) for name in ("train", "dev", "test")}
        for number in range(1, count + 1)
    ]


def tables(folder: Path) -> Tables:
    return {
        path.name: {key.split("-", 1)[-1]: value for key, value in read_table(path).items()}
        for path in folder.iterdir()
        if path.name != "spk2utt"
    }


def together(fold: dict[str, Tables], table: str) -> dict[str, str]:
    """One table of all sets of a fold."""
    return {utt: value for found in fold.values() for utt, value in found.get(table, {}).items()}


def labels_of(root: Path, data: Path, **options: str) -> dict[str, str]:
    return together(prepared(root, data, **options)[0], "utt2emotion")


def rewrite(root: Path, **votes: list[str]) -> None:
    """Give utterances of Ses03F_impro01 other votes (`F000=[...]`); the release says `xxx` of all its turns."""
    turns = [MiniTurn(f"Ses03F_impro01_{g}{i:03d}", "xxx", ["Neutral;"]) for i in range(4) for g in "FM"]
    for turn in turns:
        turn.votes = votes.get(turn.utt[-4:], turn.votes)
    write_evaluation(root, "Ses03F_impro01", turns)
