"""Check tasks.yaml against the data and write the training set's task statistics (stage 4)."""

import argparse
import logging
from pathlib import Path

from espnet2_ext.data.check_tasks import check_tasks, write_task_stats
from espnet2_ext.errors import run_cli
from espnet2_ext.mtl.task_spec import load_task_spec


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", required=True, help="conf/tasks.yaml")
    parser.add_argument("--train", type=Path, required=True, help="directory of the training set")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="directories of the other sets")
    parser.add_argument("--allow-speaker-overlap", choices=("true", "false"), default="false")
    parser.add_argument("--allow-empty-classes", choices=("true", "false"), default="false")
    parser.add_argument("--out", type=Path, required=True, help="statistics to write (yaml)")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    spec = load_task_spec(args.tasks)
    stats = check_tasks(
        spec, args.train, args.others, args.allow_speaker_overlap == "true", args.allow_empty_classes == "true"
    )
    write_task_stats(stats, args.out)


if __name__ == "__main__":
    run_cli(main)
