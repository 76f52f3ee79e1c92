"""The table of a grid as text: for a terminal and as Markdown, beside what a paper reports."""

from collections.abc import Sequence
from dataclasses import dataclass

from espnet2_ext.mtl.task_spec import TaskSpec
from espnet2_ext.report.differences import Pair, difference_cells, gain_cells
from espnet2_ext.report.grid import Cell, Row
from espnet2_ext.report.naming import lower_is_better, metric_name, score_name
from espnet2_ext.report.paper import PARAMETERS, Paper
from espnet2_ext.report.text_table import (
    MISSING,
    escape_markdown,
    format_interval,
    format_number,
    markdown_table,
    plain_table,
)

# Before the best mean of a column.
BEST = "▸"
# How differences were made.
_PAIRED = (
    "its 95 % interval and two-sided p value, over the same resampled sets of speakers; not corrected for the number "
    "of comparisons. What training with other seeds would change is in neither. Of an error (MAE), less is better."
)
# They are of the models that there are.
_INTERVALS = (
    "95 % of the resampled sets of speakers, for the mean over seeds. What training with other seeds would change is "
    "not in them."
)


@dataclass(frozen=True)
class TableOptions:
    """What a table shows besides means and intervals.

    Attributes:
        against: Rows that the others are compared with, a table each.
        pairs: Rows A, B: the gain of A over B.
        parameters: Whether there is a column of the numbers of parameters.
        mark_best: Whether the best mean of each column is marked.
        selected_on: Set by which the rows are sorted; empty for the table's own.
    """

    against: Sequence[str] = ()
    pairs: Sequence[Pair] = ()
    parameters: bool = False
    mark_best: bool = False
    selected_on: str = ""


def table_cells(
    spec: TaskSpec, rows: Sequence[Row], paper: Paper | None, options: TableOptions
) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: mean and deviation over seeds, and the paper's number beside each column.

    With the option `parameters`, also the number of parameters in millions, frozen ones included.
    """
    keys = list(rows[0].cells)
    best = {key: best_mean(spec, rows, key) for key in keys} if options.mark_best else {}
    header = ["system", "seeds"]
    if options.parameters:
        header += ["parameters (M)", "paper"] if paper else ["parameters (M)"]
    for key in keys:
        header += [metric_name(spec, key), "paper"] if paper else [metric_name(spec, key)]
    lines = []
    for row in rows:
        line = [f"{row.name} (best)" if row.best else row.name, str(len(row.seeds))]
        reported = paper.rows.get(row.name, {}) if paper else {}
        if options.parameters:
            millions = None if row.n_parameters is None else row.n_parameters / 1e6
            line.append(format_number(millions, digits=2))
            if paper:
                line.append(format_number(reported.get(PARAMETERS), digits=2))
        for key in keys:
            line.append(_mean(row.cells[key], best.get(key)))
            if paper:
                line.append(format_number(reported.get(key)))
        lines.append(line)
    return header, lines


def interval_cells(spec: TaskSpec, rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: the interval of each mean."""
    keys = list(rows[0].cells)
    lines = [[row.name, *(format_interval(row.cells[key].interval) for key in keys)] for row in rows]
    return ["system", *(metric_name(spec, key) for key in keys)], lines


def best_mean(spec: TaskSpec, rows: Sequence[Row], key: str) -> float | None:
    """Return the best mean of a column, as it is shown; None where no row has one."""
    means = [round(mean, 3) for row in rows if (mean := row.cells[key].mean) is not None]
    return (min if lower_is_better(spec, key) else max)(means, default=None)


def _mean(cell: Cell, best: float | None) -> str:
    if cell.mean is None:
        return MISSING
    mark = BEST if round(cell.mean, 3) == best else ""
    return f"{mark}{cell.mean:.3f}" + ("" if cell.deviation is None else f" ± {cell.deviation:.3f}")


def grid_markdown(title: str, facts: Sequence[tuple[str, str]], sections: Sequence[str]) -> str:
    """Return the whole Markdown page: what was measured, then each set's section."""
    head = [f"# {title}", "Generated; do not edit.", "\n".join(f"- {name}: {value}" for name, value in facts)]
    return "\n\n".join([*head, *sections]) + "\n"


def set_markdown(
    spec: TaskSpec, rows: Sequence[Row], paper: Paper | None, options: TableOptions, set_name: str = ""
) -> str:
    """Return the tables of one set; with `set_name`, under a heading of their own."""
    parts, level = ([f"## Set {escape_markdown(set_name)}"], "###") if set_name else ([], "##")
    parts.append(markdown_table(*table_cells(spec, rows, paper, options)))
    parts.append(
        "Mean and standard deviation over seeds (n - 1)."
        + (f" Paper: {escape_markdown(paper.source)}." if paper else "")
    )
    if options.mark_best:
        parts.append(f"{BEST}: the best of its column, by the mean as it is shown.")
    parts += [*_selection(spec, rows, options.selected_on), *map(escape_markdown, _other_sets(rows))]
    if any(row.samples for row in rows):
        parts += [f"{level} Intervals", _INTERVALS]
        parts.append(markdown_table(*interval_cells(spec, rows)))
    parts += map(escape_markdown, _other_draws(rows))
    for name in options.against:
        parts += [f"{level} Differences to {escape_markdown(name)}", f"Difference of the means over seeds, {_PAIRED}"]
        parts.append(markdown_table(*difference_cells(spec, rows, name)))
    if options.pairs:
        parts += [f"{level} Gains", f"Difference of the means over seeds, {_PAIRED}"]
        parts.append(
            "Relative: in percent of the second row's mean, with its 95 % interval over the same sets."
            + (" The paper's follow from its numbers above." if paper else "")
        )
        parts.append(markdown_table(*gain_cells(spec, rows, options.pairs, paper)))
    return "\n\n".join(parts)


def _selection(spec: TaskSpec, rows: Sequence[Row], selected_on: str) -> list[str]:
    """Say what a table means whose rows are sorted, nothing for others."""
    if not any(row.best for row in rows):
        return []
    if selected_on:
        return [f"In the order of {selected_on}, which selects the best row; this set takes no part in it."]
    return [
        f"Sorted by {score_name(spec)} on this set, which selects the best row: its number here is optimistic. "
        "Judge the choice by a set that took no part in it."
    ]


def _other_sets(rows: Sequence[Row]) -> list[str]:
    """Say which rows are of other utterances than the table's first model, nothing where all are of the same."""
    known = [row for row in rows if row.scorings]
    odd = [row for row in known if any(scoring.differs(known[0].scorings[0]) for scoring in row.scorings)]
    if not odd:
        return []
    shown = odd if known[0] is odd[0] else [known[0], *odd]
    sizes = "; ".join(f"{row.name}: {' and '.join(dict.fromkeys(s.size for s in row.scorings))}" for row in shown)
    return [f"Not all models were scored on the same utterances, so their numbers do not compare. {sizes}."]


def _other_draws(rows: Sequence[Row]) -> list[str]:
    """Say which rows have resampled sets of their own, so that a dash stands for their differences."""
    draws = {row.name: {scoring.draws for scoring in row.scorings} for row in rows}
    if len(set().union(*draws.values())) < 2:
        return []
    found = "; ".join(
        f"{name}: {' and '.join(f'{number} sets of seed {seed}' for number, seed in sorted(own))}"
        for name, own in draws.items()
    )
    return [f"Not all models were scored over the same resampled sets, so not all can be paired. {found}."]


def set_text(
    spec: TaskSpec, rows: Sequence[Row], paper: Paper | None, options: TableOptions, set_name: str = ""
) -> str:
    """Return the tables of one set for a terminal."""
    parts = [f"Set {set_name}"] if set_name else []
    parts.append(plain_table(*table_cells(spec, rows, paper, options)))
    parts += [*_selection(spec, rows, options.selected_on), *_other_sets(rows), *_other_draws(rows)]
    if any(row.samples for row in rows):
        parts.append("95 % intervals over speakers\n" + plain_table(*interval_cells(spec, rows)))
    parts += [plain_table(*difference_cells(spec, rows, name)) for name in options.against]
    if options.pairs:
        parts.append(plain_table(*gain_cells(spec, rows, options.pairs, paper)))
    return "\n\n".join(parts)
