#!/usr/bin/env python3
"""Check a submission: name, columns, ids, number of rows, numbers of countries, ranges. Any system's file will do."""

import argparse
from pathlib import Path

from submission import read_form

from espnet2_ext.errors import run_cli
from espnet2_ext.inference.submission import check_submission
from espnet2_ext.mtl.task_spec import load_task_spec


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="ExVo-Multi_<team>_<n>.csv")
    parser.add_argument("--data", type=Path, default=Path("data/test"), help="data directory of the set (stage 1)")
    parser.add_argument("--tasks", type=Path, default=Path("conf/tasks.yaml"), help="tasks.yaml")
    arguments = parser.parse_args()
    form = read_form(arguments.data, load_task_spec(arguments.tasks))
    for path in arguments.files:
        print(f"{path}: {check_submission(path, form)} rows, good")


if __name__ == "__main__":
    run_cli(main)
