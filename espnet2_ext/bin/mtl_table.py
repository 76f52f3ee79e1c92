"""Table of systems by seeds: mean and deviation, intervals, differences, beside what a paper reports."""

import argparse
import shlex
import sys
from pathlib import Path

from espnet2_ext.errors import run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.report.experiment import read_experiment
from espnet2_ext.report.facts import table_facts
from espnet2_ext.report.grid import parse_rows, read_grid
from espnet2_ext.report.grid_table import grid_markdown, grid_text, read_paper
from espnet2_ext.report.text_table import escape_markdown


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        "--rows", required=True,
        help='rows as NAME=DIRECTORIES, e.g. "EW=exp/train_equal_seed* ST=exp/single_*_seed*"; models of one seed with'
        " different tasks make one row together",
    )  # fmt: skip
    parser.add_argument("--set", dest="set_name", required=True, help="scored set, e.g. dev")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--title", default="Results", help="heading")
    parser.add_argument("--paper", type=Path, help="yaml with reported numbers: source, rows: {ROW: {KEY: number}}")
    parser.add_argument("--against", default="", help="row that the others are compared with, over the same speakers")
    args = parser.parse_args()
    directories = parse_rows(args.rows)
    spec, rows = read_grid(directories, args.set_name)
    paper = read_paper(args.paper, spec, list(directories)) if args.paper else None
    facts = table_facts([read_experiment(path) for paths in directories.values() for path in paths], args.set_name)
    facts.append(("Command", escape_markdown(shlex.join(["python", "-m", "espnet2_ext.bin.mtl_table", *sys.argv[1:]]))))
    page = grid_markdown(escape_markdown(args.title), facts, spec, rows, paper, args.against)
    with atomic_path(args.out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(grid_text(spec, rows, paper, args.against))


if __name__ == "__main__":
    run_cli(main)
