#!/usr/bin/env python3
"""Write the tasks that have a label file, <root>/labels/<task>_info.csv; say in one line for each which has none."""

import argparse
import sys
from pathlib import Path

import yaml
from label_tables import label_file

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.mtl.task_spec import TaskSpec, load_task_spec


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder with audio/wav/ and labels/")
    parser.add_argument("--tasks", type=Path, required=True, help="tasks.yaml with all tasks")
    parser.add_argument("--out", type=Path, required=True, help="tasks.yaml with those that have a label file")
    arguments = parser.parse_args()
    spec = present_tasks(arguments.root, load_task_spec(arguments.tasks))
    text = yaml.safe_dump(spec.to_dict(), sort_keys=False, default_flow_style=None, width=120)
    if arguments.out.is_file() and arguments.out.read_text(encoding="utf-8") == text:
        return
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(arguments.out) as temporary:
        temporary.write_text(text, encoding="utf-8")


def present_tasks(root: Path, spec: TaskSpec) -> TaskSpec:
    """Return the tasks with a label file.

    Raises:
        UserError: The folder is not the challenge's, or no task has one.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such directory; give the challenge's folder with --avb_root, or set AVB_ROOT")
    found = [name for name in spec.names if label_file(root, name).is_file()]
    if not found:
        files = ", ".join(label_file(root, name).name for name in spec.names)
        raise UserError(
            f"{root / 'labels'}: has none of {files}; --avb_root is the folder that holds audio/wav/ and labels/"
        )
    for name in spec.names:
        if name not in found:
            print(f"warning: {label_file(root, name)}: no such file; the task {name} is left out", file=sys.stderr)
    return spec.subset(found)


if __name__ == "__main__":
    run_cli(main)
