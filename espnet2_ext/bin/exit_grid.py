"""Write a training configuration for each combination of the tasks' exits; print them as rows of a grid."""

import argparse
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext.bin.resolve_config import resolve_config
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.mtl.task_spec import LEARNT, TaskSpec, load_task_spec

Exits = dict[str, int | str]


def parse_exits(text: str, names: Sequence[str]) -> dict[str, list[int | str]]:
    """Read `1 3 5` (for every task) or `TASK=1,2 TASK=learnt ...` into candidates by task, in the order of `names`.

    Raises:
        UserError: It is of neither form, names another task, or has a task or an exit twice.
    """
    words = text.split()
    if not words:
        raise UserError('--exits: give exits for all tasks, "1 3 5", or by task, "TASK=1,2 TASK=3"')
    if not any("=" in word for word in words):
        return {name: _candidates(words, "--exits") for name in names}
    found: dict[str, list[int | str]] = {}
    for word in words:
        name, equals, exits = word.partition("=")
        if not equals or name not in names or name in found:
            raise UserError(f"--exits: {word!r} is not TASK=EXIT,EXIT; name each of {', '.join(names)} once at most")
        found[name] = _candidates(exits.split(","), f"--exits: {name}")
    return {name: found[name] for name in names if name in found}


def _candidates(words: Sequence[str], where: str) -> list[int | str]:
    wrong = [word for word in words if word != LEARNT and not (word.isascii() and word.isdecimal() and int(word))]
    if wrong:
        raise UserError(f"{where}: {wrong[0]!r} is no exit; give numbers from 1, or {LEARNT}")
    exits = [word if word == LEARNT else int(word) for word in words]
    if len(set(exits)) < len(exits):
        raise UserError(f"{where}: {','.join(words)} has an exit twice")
    return exits


def combinations(candidates: Mapping[str, Sequence[int | str]]) -> list[Exits]:
    """Return every choice of one exit for each task."""
    return [dict(zip(candidates, chosen, strict=True)) for chosen in itertools.product(*candidates.values())]


def write_configs(config: Path, spec: TaskSpec, exits: Sequence[Exits], out: Path) -> list[str]:
    """Write a configuration below `out` for each choice; return the rows LABEL=CONFIG.

    Exits that `config` sets for other tasks stay.
    """
    kept = resolve_config(config).get("task_exits") or {}
    rows = []
    for choice in exits:
        spec.with_exits(choice)
        name = "_".join(f"{task}{number}" for task, number in choice.items())
        path = write_variant(config, name, {"task_exits": {**kept, **choice}}, out)
        rows.append(f"{','.join(f'{task}:{number}' for task, number in choice.items())}={path}")
    return rows


def write_variant(config: Path, name: str, changes: Mapping[str, Any], out: Path) -> Path:
    """Write a configuration below `out` that is `config` with some options changed; return its path."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{config.stem}_{name}.yaml"
    with atomic_path(path) as temporary:
        text = yaml.safe_dump({"base": os.path.relpath(config, out), **changes}, sort_keys=False)
        temporary.write_text(text, encoding="utf-8")
    return path


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="training configuration that the exits are put into")
    parser.add_argument("--tasks", type=Path, required=True, help="tasks.yaml")
    parser.add_argument("--exits", required=True, help='"1 3 5", or by task "TASK=1,2 TASK=3,learnt"')
    parser.add_argument("--out", type=Path, required=True, help="directory of the configurations")
    args = parser.parse_args()
    spec = load_task_spec(args.tasks)
    trained = resolve_config(args.config).get("tasks")
    spec = spec.subset(trained) if trained else spec
    choices = combinations(parse_exits(args.exits, spec.names))
    print("\n".join(write_configs(args.config, spec, choices, args.out)))


if __name__ == "__main__":
    run_cli(main)
