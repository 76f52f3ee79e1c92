"""Table of systems by seeds: mean and deviation, intervals, differences, beside what a paper reports."""

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path

from espnet2_ext.errors import run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.mtl.metric.corpus import CLASSIFICATION_METRICS, REGRESSION_METRICS
from espnet2_ext.report.differences import parse_pairs
from espnet2_ext.report.experiment import read_experiment
from espnet2_ext.report.facts import table_facts
from espnet2_ext.report.grid import Row, best_first, in_order_of, parse_rows, read_grid
from espnet2_ext.report.grid_table import TableOptions, grid_markdown, set_markdown, set_text
from espnet2_ext.report.paper import read_paper
from espnet2_ext.report.text_table import escape_markdown


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        "--rows", required=True,
        help='rows as NAME=DIRECTORIES, e.g. "EW=exp/train_equal_seed* ST=exp/single_*_seed*"; models of one seed with'
        " different tasks make one row together",
    )  # fmt: skip
    parser.add_argument("--set", dest="set_names", nargs="+", required=True, help="scored sets, e.g. dev test")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--title", default="Results", help="heading")
    parser.add_argument(
        "--paper", type=Path, help="yaml with numbers reported for the first set: source, rows: {ROW: {KEY: number}}"
    )
    parser.add_argument(
        "--against", nargs="*", default=[], help="rows that the others are compared with, over the same speakers"
    )
    parser.add_argument("--pairs", nargs="*", default=[], help="gains of rows over others, as ROW/ROW, e.g. DRUW/EW")
    parser.add_argument("--parameters", choices=("true", "false"), default="false", help="a column of their numbers")
    parser.add_argument(
        "--select",
        choices=("true", "false"),
        default="false",
        help="sort by the score on the first set, mark the best row",
    )
    parser.add_argument(
        "--mark_best", choices=("true", "false"), default="false", help="mark the best mean of each column"
    )
    parser.add_argument(
        "--more_metrics", nargs="*", default=[], choices=sorted({*REGRESSION_METRICS, *CLASSIFICATION_METRICS}),
        help="columns besides the score's, of the tasks that have such a metric",
    )  # fmt: skip
    args = parser.parse_args()
    options = TableOptions(args.against, parse_pairs(args.pairs), args.parameters == "true", args.mark_best == "true")
    directories = parse_rows(args.rows)
    sections, texts = [], []
    selected: list[Row] = []
    for name in args.set_names:
        spec, rows = read_grid(directories, name, args.more_metrics)
        if args.select == "true":
            # A later set, such as test, takes no part in the choice.
            selected = in_order_of(selected, rows) if selected else best_first(spec, rows)
            rows = selected
            options = dataclasses.replace(options, selected_on="" if name == args.set_names[0] else args.set_names[0])
        paper = None
        if args.paper and name == args.set_names[0]:
            paper = read_paper(args.paper, list(rows[0].cells), list(directories))
        heading = name if len(args.set_names) > 1 else ""
        sections.append(set_markdown(spec, rows, paper, options, heading))
        texts.append(set_text(spec, rows, paper, options, heading))
    experiments = [read_experiment(path) for paths in directories.values() for path in paths]
    facts = table_facts(experiments, " ".join(args.set_names))
    facts.append(("Command", escape_markdown(shlex.join(["python", "-m", "espnet2_ext.bin.mtl_table", *sys.argv[1:]]))))
    with atomic_path(args.out) as temporary:
        temporary.write_text(grid_markdown(escape_markdown(args.title), facts, sections), encoding="utf-8")
    print("\n\n".join(texts))


if __name__ == "__main__":
    run_cli(main)
