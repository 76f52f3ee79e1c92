"""Tables as plain text and as Markdown."""

from collections.abc import Sequence

MISSING = "–"


def format_number(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` decimals; a dash for None."""
    return MISSING if value is None else f"{value:.{digits}f}"


def format_interval(bounds: Sequence[float] | None, digits: int = 3) -> str:
    """Return `[low, high]`; a dash for None."""
    return MISSING if bounds is None else f"[{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]"


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an aligned table for a terminal: the first column to the left, the others to the right."""
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first = str(cells[0]).ljust(widths[0])
        return "  ".join([first, *(str(c).rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))]).rstrip()

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *map(line, rows)])


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table: the first column to the left, the others to the right; cells are escaped."""
    ruler = ["---", *["---:"] * (len(header) - 1)]
    lines = [list(map(escape_markdown, header)), ruler, *(list(map(escape_markdown, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def escape_markdown(text: str) -> str:
    """Escape what Markdown or a table in it would read as markup."""
    text = " ".join(str(text).split())
    for mark in ("\\", "|", "`", "*", "_", "#"):
        text = text.replace(mark, "\\" + mark)
    # Brackets alone are no markup, and intervals are full of them; a link needs this pair.
    text = text.replace("](", "]\\(")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
