"""Print the row of a table with the best mean score on a set, or the best of each group of rows, a line each.

A group are the rows whose names are the same up to the first `:`, such as CHAIN:EW and CHAIN:DWA. The set selects: its
number of the row that is printed is optimistic.
"""

import argparse

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.report.grid import best_first, parse_rows, read_grid


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", required=True, help='rows as NAME=DIRECTORIES, e.g. "EW=exp/equal_seed* ..."')
    parser.add_argument("--set", required=True, help="scored set that selects")
    parser.add_argument("--groups", choices=("true", "false"), default="false", help="the best of each group")
    args = parser.parse_args()
    spec, rows = read_grid(parse_rows(args.rows), args.set)
    groups: dict[str, list] = {}
    for row in rows:
        groups.setdefault(row.name.split(":")[0] if args.groups == "true" else "", []).append(row)
    for found in groups.values():
        best = best_first(spec, found)[0]
        if not best.best:
            raise UserError(f"{', '.join(row.name for row in found)}: no row has a score on {args.set}")
        print(best.name)


if __name__ == "__main__":
    run_cli(main)
