"""The table of a grid as text: for a terminal and as Markdown, beside what a paper reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_spec import TaskSpec
from espnet2_ext.report.bootstrap import interval, p_value
from espnet2_ext.report.grid import Cell, Row
from espnet2_ext.report.naming import main_keys, metric_name
from espnet2_ext.report.text_table import MISSING, format_interval, format_number, markdown_table, plain_table

PaperRows = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Paper:
    """What a paper reports: where, and by row the values by key."""

    source: str
    rows: dict[str, dict[str, float]]


def read_paper(path: Path, spec: TaskSpec, names: Sequence[str]) -> Paper:
    """Read reported numbers.

    The file: `source: <which table of which paper>` and `rows: {<row>: {<task>_<metric>: number, <score>: number}}`.
    Rows that the table does not have are left out.

    Raises:
        UserError: It is not of this form, or names no row of the table, or a key is no column.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    rows = data.get("rows") if isinstance(data, dict) else None
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise UserError(f"{path}: needs `source` and `rows: {{ROW: {{KEY: number}}}}`")
    keys = main_keys(spec)
    found: dict[str, dict[str, float]] = {}
    for name, row in rows.items():
        for key, value in row.items():
            if key not in keys or isinstance(value, bool) or not isinstance(value, int | float):
                raise UserError(f"{path}: {name}: {key}: {value!r}: give numbers for {', '.join(keys)}")
        if str(name) in names:
            found[str(name)] = {key: float(value) for key, value in row.items()}
    if not found:
        raise UserError(f"{path}: has no row of {', '.join(names)}; name its rows as the table's")
    return Paper(str(data.get("source", "paper")), found)


def table_cells(spec: TaskSpec, rows: Sequence[Row], paper: Paper | None) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: mean and deviation over seeds, and the paper's number beside each column."""
    keys = main_keys(spec)
    header = ["system", "seeds"]
    for key in keys:
        header += [metric_name(spec, key), "paper"] if paper else [metric_name(spec, key)]
    lines = []
    for row in rows:
        line = [row.name, str(len(row.seeds))]
        for key in keys:
            line.append(_mean(row.cells[key]))
            if paper:
                line.append(format_number(paper.rows.get(row.name, {}).get(key)))
        lines.append(line)
    return header, lines


def interval_cells(spec: TaskSpec, rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: the interval of each mean."""
    keys = main_keys(spec)
    lines = [[row.name, *(format_interval(row.cells[key].interval) for key in keys)] for row in rows]
    return ["system", *(metric_name(spec, key) for key in keys)], lines


def difference_cells(spec: TaskSpec, rows: Sequence[Row], against: str) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: each row's difference to one row on the same resampled sets, its interval and p value.

    Raises:
        UserError: There is no such row, or it has no bootstrap.
    """
    reference = next((row for row in rows if row.name == against), None)
    if reference is None:
        raise UserError(f"--against {against}: choose among {', '.join(row.name for row in rows)}")
    if not reference.samples:
        raise UserError(f"--against {against}: its models were scored without intervals; score with --bootstrap 1000")
    keys = main_keys(spec)
    lines = []
    for row in rows:
        if row is not reference:
            lines.append([row.name, *(_difference(row, reference, key) for key in keys)])
    return [f"minus {against}", *(metric_name(spec, key) for key in keys)], lines


def _difference(row: Row, reference: Row, key: str) -> str:
    if row.fingerprint != reference.fingerprint or key not in row.samples or key not in reference.samples:
        return MISSING
    differences = row.samples[key] - reference.samples[key]
    p = p_value(differences)
    observed = (row.cells[key].mean or 0.0) - (reference.cells[key].mean or 0.0)
    if np.isnan(p):
        return MISSING
    return f"{observed:+.3f} {format_interval(interval(differences))} p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"


def _mean(cell: Cell) -> str:
    if cell.mean is None:
        return MISSING
    return format_number(cell.mean) if cell.deviation is None else f"{cell.mean:.3f} ± {cell.deviation:.3f}"


def grid_markdown(title: str, facts: Sequence[tuple[str, str]], sections: Sequence[str]) -> str:
    """Return the whole Markdown page: what was measured, then each set's section."""
    head = [f"# {title}", "Generated; do not edit.", "\n".join(f"- {name}: {value}" for name, value in facts)]
    return "\n\n".join([*head, *sections]) + "\n"


def set_markdown(spec: TaskSpec, rows: Sequence[Row], paper: Paper | None, against: str, set_name: str = "") -> str:
    """Return the tables of one set; with `set_name`, under a heading of their own."""
    parts, level = ([f"## Set {set_name}"], "###") if set_name else ([], "##")
    parts.append(markdown_table(*table_cells(spec, rows, paper)))
    parts.append("Mean and standard deviation over seeds (n - 1)." + (f" Paper: {paper.source}." if paper else ""))
    if any(row.samples for row in rows):
        parts += [f"{level} Intervals", "95 % of the resampled sets of speakers, for the mean over seeds."]
        parts.append(markdown_table(*interval_cells(spec, rows)))
    if against:
        parts += [
            f"{level} Differences to {against}",
            "Difference of the means over seeds, its 95 % interval and two-sided p value, over the same resampled sets "
            "of speakers; not corrected for the number of comparisons. Of an error (MAE), less is better.",
            markdown_table(*difference_cells(spec, rows, against)),
        ]
    return "\n\n".join(parts)


def set_text(spec: TaskSpec, rows: Sequence[Row], paper: Paper | None, against: str, set_name: str = "") -> str:
    """Return the tables of one set for a terminal."""
    parts = [f"Set {set_name}"] if set_name else []
    parts.append(plain_table(*table_cells(spec, rows, paper)))
    if any(row.samples for row in rows):
        parts.append("95 % intervals over speakers\n" + plain_table(*interval_cells(spec, rows)))
    if against:
        parts.append(plain_table(*difference_cells(spec, rows, against)))
    return "\n\n".join(parts)
