#!/usr/bin/env python3
"""Check submissions: name, columns, ids, number of rows, classes or ranges. Any system's files will do.

Blanks in names of columns are no matter: the label file's `South Africa_Sadness` and the `SouthAfrica_Sadness` of the
organisers' example are both good.
"""

import argparse
from pathlib import Path

from submission import read_forms

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.inference.submission import check_submission
from espnet2_ext.mtl.task_spec import load_task_spec


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="A-VB-{Type,Two,High,Culture}_<team>_<n>.csv")
    parser.add_argument("--data", type=Path, default=Path("data/test"), help="data directory of the set (stage 1)")
    parser.add_argument("--tasks", type=Path, default=Path("data/tasks.yaml"), help="tasks.yaml")
    arguments = parser.parse_args()
    forms = read_forms(arguments.data, load_task_spec(arguments.tasks)).values()
    for path in arguments.files:
        form = next((form for form in forms if form.fits(path)), None)
        if form is None:
            names = ", ".join(form.name for form in forms)
            raise UserError(
                f"{path}: a submission is called <name>_<team>_<n>.csv, n from 1, name one of {names}; rename it"
            )
        print(f"{path}: {check_submission(path, form)} rows, good")


if __name__ == "__main__":
    run_cli(main)
