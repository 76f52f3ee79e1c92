"""How benchmarks print their rows."""

from collections.abc import Iterable


def print_rows(rows: Iterable[tuple[str, str]]) -> None:
    """Print (what, figure) pairs as a table."""
    print("| what | figure |\n| --- | --- |")
    for what, figure in rows:
        print(f"| {what} | {figure} |")
