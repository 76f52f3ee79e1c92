"""Write a training configuration for each order of the tasks in a chain; print them as rows of a grid."""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

from espnet2_ext.bin.exit_grid import write_variant
from espnet2_ext.bin.resolve_config import resolve_config
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.mtl.task_spec import load_task_spec

Order = tuple[str, ...]


def parse_orders(text: str, names: Sequence[str]) -> list[Order]:
    """Read `A,B,C C,A,B`; all orders of `names`, in theirs first, where nothing is given.

    Raises:
        UserError: A word is no order of exactly these tasks, or comes twice.
    """
    if not text.split():
        return list(itertools.permutations(names))
    orders = [tuple(word.split(",")) for word in text.split()]
    for order in orders:
        if sorted(order) != sorted(names) or orders.count(order) > 1:
            raise UserError(f"--orders: {','.join(order)}: give each order of {', '.join(names)} once at most")
    return orders


def write_configs(config: Path, orders: Sequence[Order], out: Path) -> list[str]:
    """Write a configuration below `out` for each order; return the rows LABEL=CONFIG."""
    kept = resolve_config(config).get("head_conf") or {}
    rows = []
    for order in orders:
        changes = {"heads": "chain", "head_conf": {**kept, "order": list(order)}}
        rows.append(f"{','.join(order)}={write_variant(config, '_'.join(order), changes, out)}")
    return rows


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--config", type=Path, required=True, help="training configuration that the orders are put into"
    )
    parser.add_argument("--tasks", type=Path, required=True, help="tasks.yaml")
    parser.add_argument("--orders", default="", help='"TASK,TASK,... TASK,TASK,..."; all if empty')
    parser.add_argument("--out", type=Path, required=True, help="directory of the configurations")
    args = parser.parse_args()
    names = resolve_config(args.config).get("tasks") or load_task_spec(args.tasks).names
    print("\n".join(write_configs(args.config, parse_orders(args.orders, names), args.out)))


if __name__ == "__main__":
    run_cli(main)
