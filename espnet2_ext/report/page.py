"""`report.html`: what the template shows, gathered as plain data. The template escapes everything that it is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from espnet2_ext.mtl.task_spec import Task
from espnet2_ext.report.audio import audio_uri
from espnet2_ext.report.compare import Comparison
from espnet2_ext.report.exits import chosen_exits
from espnet2_ext.report.experiment import Experiment
from espnet2_ext.report.facts import DEFAULT_WEIGHTS, command, config_text, fact_rows, version_rows
from espnet2_ext.report.naming import metric_label, resampled, score_name, size_of
from espnet2_ext.report.pictures import Pictures
from espnet2_ext.report.scored_set import ScoredSet, metric_titles
from espnet2_ext.report.text_table import format_interval, format_number
from espnet2_ext.report.worst import worst_utterances

# Worst utterances of each task and set.
N_WORST = 5
# Audio of one page, characters of base64; what does not fit is shown without a player.
_AUDIO_BUDGET = 8_000_000


@dataclass
class AudioShelf:
    """Gives out audio for players until the page has enough of it.

    Args:
        paths: Utterance -> path of its audio.
        left: Characters that may still be given out.
    """

    paths: Mapping[str, str]
    left: int = _AUDIO_BUDGET

    def uri(self, utt: str) -> str | None:
        """Return an utterance's audio as an address that holds it; None where there is none or no room."""
        uri = audio_uri(self.paths[utt]) if utt in self.paths else None
        if uri is None or len(uri) > self.left:
            return None
        self.left -= len(uri)
        return uri


def render(
    experiment: Experiment,
    sets: list[ScoredSet],
    pictures: Pictures,
    audio: AudioShelf,
    comparison: Comparison | None,
) -> str:
    """Return the page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    return environment.get_template("report.html").render(
        title=experiment.name,
        score_name=score_name(experiment.spec),
        headline=[_tile(scored) for scored in sets],
        facts=fact_rows(experiment),
        results=_results(experiment, sets),
        level=_level(sets),
        comparison=comparison,
        learning=pictures.learning,
        default_weights=DEFAULT_WEIGHTS,
        weights=pictures.weights,
        exits=pictures.exits,
        chosen=chosen_exits(experiment),
        sets=[_set_view(experiment, scored, pictures, audio) for scored in sets],
        versions=version_rows(experiment),
        command=command(experiment),
        config=config_text(experiment),
    )


def _breakable(text: str) -> Markup:
    """Escape a name and let lines break after its underscores and points."""
    return escape(text).replace("_", Markup("_<wbr>")).replace(".", Markup(".<wbr>"))


def _tile(scored: ScoredSet) -> dict[str, str]:
    score = scored.score["score"]
    return {
        "set": scored.name,
        "value": format_number(score["value"]),
        "interval": format_interval(score["interval"]) if score["interval"] else "",
        "size": size_of(scored.score),
    }


def _level(sets: list[ScoredSet]) -> str:
    resamplings = sorted({(s.score.get("bootstrap") or {}).get("resamplings", 0) for s in sets} - {0})
    if not resamplings:
        return ""
    number = " or ".join(map(str, resamplings))
    sizes = sorted({min(s.score["n_speakers"], 2) for s in sets}, reverse=True)
    return f"Intervals hold 95 % of {' or '.join(resampled(number, size) for size in sizes)}."


def _results(experiment: Experiment, sets: list[ScoredSet]) -> dict[str, Any]:
    rows = []
    for key, title in metric_titles(experiment, sets).items():
        cells = [
            {"value": format_number(e["value"]), "interval": format_interval(e["interval"]) if e["interval"] else ""}
            for e in (scored.entries[key] for scored in sets)
        ]
        rows.append({"name": title, "cells": cells, "total": key == experiment.spec.score.name})
    return {"header": [scored.name for scored in sets], "rows": rows}


def _set_view(experiment: Experiment, scored: ScoredSet, pictures: Pictures, audio: AudioShelf) -> dict[str, Any]:
    tasks = []
    for task in experiment.spec:
        tasks.append(
            {
                "name": task.name.replace("_", " "),
                "labelled": scored.score["labelled"][task.name],
                "confusion": _confusion(task, scored) if task.is_classification else None,
                "bars": _bars(task, scored),
                "panels": pictures.panels.get((scored.name, task.name), []),
                "worst": [
                    {"utt": w.utt, "speaker": w.speaker, "text": w.text, "audio": audio.uri(w.utt)}
                    for w in worst_utterances(scored.predicted, task, N_WORST)
                ],
                "classes": task.is_classification,
            }
        )
    return {"name": scored.name, "tasks": tasks}


def _confusion(task: Task, scored: ScoredSet) -> dict[str, Any]:
    counts = np.array(scored.score["confusion"][task.name]["counts"])
    rows = []
    for name, row in zip(task.classes, counts, strict=True):
        total = int(row.sum())
        shares = row / max(total, 1)
        cells = [
            {"share": f"{100 * share:.0f} %" if total else "", "count": int(count), "style": _shade(float(share))}
            for share, count in zip(shares, row, strict=True)
        ]
        rows.append({"name": name.replace("_", " "), "total": total, "cells": cells})
    return {"classes": [name.replace("_", " ") for name in task.classes], "rows": rows}


def _shade(share: float) -> str:
    """Return the colours of a cell: white to dark blue, with text that stays readable on it."""
    white, blue = np.array([255, 255, 255]), np.array([8, 72, 135])
    red, green, low = np.rint(white + (blue - white) * share).astype(int).tolist()
    return f"background:rgb({red},{green},{low});color:{'#fff' if share > 0.5 else '#1f2430'}"


def _bars(task: Task, scored: ScoredSet) -> dict[str, Any]:
    """Return a table with a bar: recall and F1 by class, or CCC, Pearson and MAE by dimension."""
    keys = ("recall", "f1") if task.is_classification else ("ccc", "pearson", "mae")
    rows = []
    for label, values in scored.score["per_dimension"][task.name].items():
        first = values[keys[0]]
        rows.append(
            {
                "name": label.replace("_", " "),
                "count": int(values["count"]),
                "width": f"{100 * min(max(first or 0, 0), 1):.1f}",
                "cells": [format_number(values[key], 2 if key == "mae" else 3) for key in keys],
            }
        )
    return {"header": [metric_label(key, task.unit) for key in keys], "rows": rows}
