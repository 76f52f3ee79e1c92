"""Differences between rows of a table, over the same resampled speakers."""

from collections.abc import Sequence

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_spec import TaskSpec
from espnet2_ext.report.bootstrap import interval, p_value
from espnet2_ext.report.grid import Row
from espnet2_ext.report.naming import metric_name
from espnet2_ext.report.paper import Paper
from espnet2_ext.report.text_table import MISSING, format_interval

Pair = tuple[str, str]


def parse_pairs(texts: Sequence[str]) -> list[Pair]:
    """Read pairs `A/B` of rows: the gain of A over B.

    Raises:
        UserError: One is not of this form.
    """
    pairs = []
    for text in texts:
        name, slash, over = text.partition("/")
        if not (name and slash and over) or "/" in over:
            raise UserError(f"--pairs: {text!r} is not ROW/ROW, such as DRUW/EW")
        pairs.append((name, over))
    return pairs


def difference_cells(spec: TaskSpec, rows: Sequence[Row], against: str) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: each row's difference to one row on the same resampled sets, its interval and p value.

    Raises:
        UserError: There is no such row, or it has no bootstrap.
    """
    reference = _sampled_row(rows, "--against", against)
    keys = list(reference.cells)
    lines = []
    for row in rows:
        if row is not reference:
            lines.append([row.name, *(_difference(row, reference, key) for key in keys)])
    return [f"minus {against}", *(metric_name(spec, key) for key in keys)], lines


def gain_cells(
    spec: TaskSpec, rows: Sequence[Row], pairs: Sequence[Pair], paper: Paper | None
) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: for each pair the difference, and the relative gain in percent beside the paper's.

    A gain is of the means over seeds; the paper's follows from its two numbers.

    Raises:
        UserError: There is no such row, or it has no bootstrap.
    """
    keys = list(rows[0].cells)
    header = ["gain"]
    for key in keys:
        header += [metric_name(spec, key), "relative (%)", *(["paper (%)"] if paper else [])]
    lines = []
    for name, over in pairs:
        row, reference = _sampled_row(rows, "--pairs", name), _sampled_row(rows, "--pairs", over)
        line = [f"{name} over {over}"]
        for key in keys:
            line += [_difference(row, reference, key), _relative(row, reference, key)]
            if paper:
                line.append(_reported(paper, name, over, key))
        lines.append(line)
    return header, lines


def _sampled_row(rows: Sequence[Row], option: str, name: str) -> Row:
    found = next((row for row in rows if row.name == name), None)
    if found is None:
        raise UserError(f"{option} {name}: choose among {', '.join(row.name for row in rows)}")
    if not found.samples:
        raise UserError(f"{option} {name}: its models were scored without intervals; score with --bootstrap 1000")
    return found


def _paired(row: Row, reference: Row, key: str) -> bool:
    return row.fingerprint == reference.fingerprint and key in row.samples and key in reference.samples


def _difference(row: Row, reference: Row, key: str) -> str:
    if not _paired(row, reference, key):
        return MISSING
    differences = row.samples[key] - reference.samples[key]
    p = p_value(differences)
    observed = (row.cells[key].mean or 0.0) - (reference.cells[key].mean or 0.0)
    if np.isnan(p):
        return MISSING
    return f"{observed:+.3f} {format_interval(interval(differences))} p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"


def _relative(row: Row, reference: Row, key: str) -> str:
    """Return the gain in percent of the reference and its interval; a dash where the reference may be 0 or less."""
    value, base = row.cells[key].mean, reference.cells[key].mean
    if value is None or base is None or base <= 0 or not _paired(row, reference, key):
        return MISSING
    bases = reference.samples[key]
    if not (bases[np.isfinite(bases)] > 0).all():
        return MISSING
    samples = 100 * (row.samples[key] / bases - 1)
    return f"{100 * (value / base - 1):+.1f} {format_interval(interval(samples), digits=1)}"


def _reported(paper: Paper, name: str, over: str, key: str) -> str:
    value, base = paper.rows.get(name, {}).get(key), paper.rows.get(over, {}).get(key)
    return f"{100 * (value / base - 1):+.1f}" if value is not None and base else MISSING
