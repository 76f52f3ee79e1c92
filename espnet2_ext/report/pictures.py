"""All figures of a report: as PNG files, and as addresses for the page."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from espnet2_ext.mtl.task_spec import Task
from espnet2_ext.report.exits import chosen_exits
from espnet2_ext.report.experiment import Experiment, best_epoch, series
from espnet2_ext.report.figure.bars import bar_figure
from espnet2_ext.report.figure.confusion import confusion_figure
from espnet2_ext.report.figure.curves import has_curves, learning_curve, score_curve
from espnet2_ext.report.figure.exits import exit_curves
from espnet2_ext.report.figure.scatter import Scatter, scatter_grid, scatter_panels
from espnet2_ext.report.figure.style import save_png, styled, svg_uri
from espnet2_ext.report.figure.weights import (
    extremes,
    has_weights,
    weight_curve,
    weighted_dimensions,
    weighted_losses,
)
from espnet2_ext.report.naming import main_keys, metric_label, metric_name, score_name, split_key
from espnet2_ext.report.scored_set import ScoredSet


@dataclass(frozen=True)
class Picture:
    """A figure in a page: a heading, the image's address, and what it shows in words."""

    title: str
    uri: str
    alt: str


@dataclass
class Pictures:
    """The figures of one experiment.

    Attributes:
        learning: Learning curves: of the score, then of each task.
        weights: Trajectories of the task weights; None where the history has none.
        exits: Shares of learnt exits; None where all are fixed.
        panels: By set and regression task, one scatter plot a dimension.
    """

    learning: list[Picture] = field(default_factory=list)
    weights: Picture | None = None
    exits: Picture | None = None
    panels: dict[tuple[str, str], list[Picture]] = field(default_factory=dict)


def keep_picture(figure: Figure, path: Path, title: str, alt: str) -> Picture:
    """Write a figure as PNG and return it for the page."""
    picture = Picture(title, svg_uri(figure), alt)
    save_png(figure, path, title)
    return picture


def make_pictures(experiment: Experiment, sets: list[ScoredSet], out: Path) -> Pictures:
    """Draw everything once: PNGs into `out`, and the same for the page."""
    pictures = Pictures()
    with styled():
        if series(experiment.valid, "score")[0]:
            title = f"{score_name(experiment.spec)} on dev"
            figure = score_curve([experiment])
            pictures.learning.append(keep_picture(figure, out / "score.png", title, _score_alt(experiment)))
        for task in experiment.spec:
            if has_curves(experiment, task.name):
                figure, path = learning_curve(experiment, task.name), out / f"learning_{task.name}.png"
                pictures.learning.append(keep_picture(figure, path, _plain(task.name), _curve_alt(experiment, task)))
        if has_weights(experiment):
            figure = weight_curve(experiment)
            pictures.weights = keep_picture(figure, out / "weights.png", "Weights by epoch", _weights_alt(experiment))
        if chosen_exits(experiment):
            figure = exit_curves(experiment)
            pictures.exits = keep_picture(figure, out / "exits.png", "Shares of exits by epoch", _exits_alt(experiment))
        for scored in sets:
            for task in experiment.spec:
                _draw_task(scored, task, out, pictures)
    return pictures


def _draw_task(scored: ScoredSet, task: Task, out: Path, pictures: Pictures) -> None:
    by_label = scored.score["per_dimension"][task.name]
    metric = "recall" if task.is_classification else "ccc"
    title = f"{_plain(task.name)}, {scored.name}"
    bars = bar_figure(list(by_label), [entry[metric] for entry in by_label.values()], metric_label(metric))
    save_png(bars, out / f"by_label_{scored.name}_{task.name}.png", title)
    if task.is_classification:
        confusion = scored.score["confusion"][task.name]
        figure = confusion_figure(confusion["classes"], np.array(confusion["counts"]))
        save_png(figure, out / f"confusion_{scored.name}_{task.name}.png", title)
        return
    ccc = {name: entry["ccc"] for name, entry in by_label.items()}
    scatter = Scatter(task, scored.predicted.targets[task.name], scored.predicted.predictions[task.name], ccc)
    save_png(scatter_grid(scatter), out / f"predicted_{scored.name}_{task.name}.png", title)
    pictures.panels[scored.name, task.name] = [
        Picture(_plain(name), svg_uri(figure), _panel_alt(name, scored.name, by_label[name]))
        for name, figure in zip(task.dimensions, scatter_panels(scatter), strict=True)
    ]


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _score_alt(experiment: Experiment) -> str:
    epochs, values = series(experiment.valid, "score")
    best = best_epoch(experiment)
    return (
        f"Line chart of {score_name(experiment.spec)} on dev over {len(epochs)} epochs: from {values[0]:.3f} to "
        f"{values[-1]:.3f}, highest {max(values):.3f} in epoch {best}."
    )


def _curve_alt(experiment: Experiment, task: Task) -> str:
    parts = [
        f"loss in {name} from {values[0]:.3g} to {values[-1]:.3g}"
        for name, part in (("training", experiment.train), ("dev", experiment.valid))
        if (values := series(part, f"loss_{task.name}")[1])
    ]
    for key in main_keys(experiment.spec):
        if (split_key(experiment.spec, key) or ("",))[0] == task.name and (values := series(experiment.valid, key)[1]):
            parts.append(f"{metric_name(experiment.spec, key)} on dev from {values[0]:.3f} to {values[-1]:.3f}")
            break
    return f"Learning curves of {_plain(task.name)} by epoch: {'; '.join(parts)}."


def _weights_alt(experiment: Experiment) -> str:
    shown = {_plain(task): f"weight_{task}" for task in weighted_losses(experiment)} | {
        "restrained sum": "restraint_sum",
        "balance": "balance",
    }
    found = {title: series(experiment.train, name)[1] for title, name in shown.items()}
    parts = [f"{title} {values[-1]:.3g}" for title, values in found.items() if values]
    for task, names in weighted_dimensions(experiment).items():
        (high, most), (low, least) = extremes(experiment, task, names)
        parts.append(f"inside {_plain(task)} from {least:.3g} ({_plain(low)}) to {most:.3g} ({_plain(high)})")
    return f"Line chart of the task weights by epoch. In the last epoch: {', '.join(parts)}."


def _exits_alt(experiment: Experiment) -> str:
    chosen = chosen_exits(experiment)
    texts = "; ".join(choice.text for choice in chosen)
    return f"Line charts of each exit's share by epoch. In epoch {chosen[0].epoch}: {texts}."


def _panel_alt(name: str, set_name: str, entry: dict[str, float | None]) -> str:
    ccc = "not defined" if entry["ccc"] is None else f"{entry['ccc']:.2f}"
    return (
        f"Scatter plot of predicted against true {_plain(name)} on {set_name}: CCC {ccc}, {entry['count']:.0f} labels."
    )
