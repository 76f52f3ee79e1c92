#!/usr/bin/env python3
"""Make data/{train,dev,test} from the challenge's folder: data_info.csv and wav/.

Beside the usual files each set has `file_id2utt` (a line for every row of the table, `-` where there is no wav) and
`country_codes`, which submissions need.
"""

import argparse
from pathlib import Path

from data_info import read_recordings

from espnet2_ext.data.csv_table import read_csv
from espnet2_ext.data.recording_dirs import Release, write_sets
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.mtl.task_spec import load_task_spec

RELEASE = Release(rows={"train": 19990, "dev": 19396, "test": 19815}, speakers=1702)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with data_info.csv and wav/")
    parser.add_argument("--data_dir", type=Path, required=True, help="folder of the data directories")
    parser.add_argument("--tasks", type=Path, required=True, help="tasks.yaml")
    parser.add_argument("--countries", nargs="+", required=True, help="countries in the order of their numbers")
    parser.add_argument("--allow_missing", choices=("true", "false"), default="false")
    arguments = parser.parse_args()
    spec = load_task_spec(arguments.tasks)
    table = read_csv(find_table(arguments.root))
    recordings, countries = read_recordings(table, spec, arguments.countries, arguments.allow_missing == "true")
    further = {"country_codes": {str(code): name for code, name in countries.codes.items()}}
    write_sets(recordings, spec.names, arguments.root / "wav", arguments.data_dir, RELEASE, further)


def find_table(root: Path) -> Path:
    """Return the path of data_info.csv.

    Raises:
        UserError: The folder is not the challenge's.
    """
    path = root / "data_info.csv"
    if not root.is_dir():
        raise UserError(f"{root}: no such directory; give the challenge's folder with --exvo_root, or set EXVO_ROOT")
    if not path.is_file():
        raise UserError(f"{path}: no such file; --exvo_root is the folder that holds data_info.csv and wav/")
    return path


if __name__ == "__main__":
    run_cli(main)
