"""Several experiments side by side, for a report."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet2_ext.errors import UserError
from espnet2_ext.report.experiment import Experiment, check_alike, series
from espnet2_ext.report.facts import config_differences
from espnet2_ext.report.figure.curves import score_curve
from espnet2_ext.report.figure.forest import forest_figure
from espnet2_ext.report.figure.style import styled
from espnet2_ext.report.grid import whole_spec
from espnet2_ext.report.naming import lower_is_better, main_keys, metric_name, size_of
from espnet2_ext.report.pictures import Picture, keep_picture
from espnet2_ext.report.scored_set import entries
from espnet2_ext.report.text_table import format_interval, format_number


@dataclass(frozen=True)
class Comparison:
    """Experiments side by side.

    Attributes:
        names: Their names, the reported one first.
        tables: For each set: `name`, `note` on sets that differ, and rows of `name`, `cells` (value, interval, best).
        pictures: The score by epoch; each main metric on the first set with intervals.
        differences: Options in which they differ, and the values.
    """

    names: list[str]
    tables: list[dict[str, Any]]
    pictures: list[Picture]
    differences: list[tuple[str, list[str]]]


def compare(experiments: list[Experiment], sets: list[str], out: Path) -> Comparison:
    """Compare experiments; PNGs go into `out`.

    The score is the one of the experiment with the most tasks. Models whose score is made of other terms, such as those
    of a single task, have no place in its row, curve and figure.

    Raises:
        UserError: Two experiments have one name, a task has other outputs in one than in another, or a score is
            missing.
    """
    names = [experiment.name for experiment in experiments]
    if len(set(names)) != len(names):
        raise UserError(f"--compare: {max(names, key=names.count)} is given twice; name other experiments")
    check_alike(experiments)
    spec = max((e.spec for e in experiments), key=len)
    whole = whole_spec([e.spec for e in experiments])
    alike = [experiment.spec.score == spec.score for experiment in experiments]
    scores = {name: [experiment.score(name) for experiment in experiments] for name in sets}
    found = {
        name: [entries(score) if same else score["metrics"] for same, score in zip(alike, own, strict=True)]
        for name, own in scores.items()
    }
    tables = []
    for name, columns in found.items():
        keys = dict.fromkeys(key for column in columns for key in column if key != spec.score.name)
        rows = [_row(metric_name(whole, key), columns, key, lower_is_better(whole, key)) for key in keys]
        rows.append(_row(metric_name(spec, spec.score.name), columns, spec.score.name))
        tables.append({"name": name, "note": _note(names, scores[name]), "rows": rows})
    pictures = []
    with styled():
        drawn = [e for e, same in zip(experiments, alike, strict=True) if same and series(e.valid, "score")[0]]
        if drawn:
            alt = f"Line chart of the score on dev by epoch for {', '.join(e.name for e in drawn)}."
            pictures.append(keep_picture(score_curve(drawn), out / "comparison_score.png", "Score by epoch", alt))
        for key in main_keys(spec):
            column = [entry.get(key) for entry in found[sets[0]]]
            title = f"{metric_name(spec, key)} on {sets[0]}"
            values = ", ".join(f"{n} {format_number(e['value'])}" for n, e in zip(names, column, strict=True) if e)
            figure = forest_figure(names, metric_name(spec, key), column)
            alt = f"Points with 95 % intervals: {values}."
            pictures.append(keep_picture(figure, out / f"comparison_{key}.png", title, alt))
    return Comparison(names, tables, pictures, config_differences(experiments))


def _note(names: list[str], scores: list[dict[str, Any]]) -> str:
    """Say that experiments were scored on sets of other sizes; empty where they were not."""
    sizes = [size_of(score) for score in scores]
    if len(set(sizes)) == 1:
        return ""
    found = "; ".join(f"{name}: {size}" for name, size in zip(names, sizes, strict=True))
    return f"Not all were scored on the same utterances, so their numbers do not compare. {found}."


def _row(title: str, columns: list[dict[str, Any]], key: str, lower: bool = False) -> dict[str, Any]:
    values = [column[key]["value"] for column in columns if key in column and column[key]["value"] is not None]
    best = (min(values) if lower else max(values)) if len(values) > 1 else None
    cells = []
    for column in columns:
        entry = column.get(key) or {"value": None, "interval": None}
        cells.append(
            {
                "value": format_number(entry["value"]),
                "interval": format_interval(entry["interval"]) if entry["interval"] else "",
                "best": best is not None and entry["value"] == best,
            }
        )
    return {"name": title, "cells": cells}
