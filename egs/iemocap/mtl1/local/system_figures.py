"""The paper's figure 2: joint loss by epoch of several systems; and how their weights move."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from espnet2_ext.report.experiment import Experiment, series
from espnet2_ext.report.figure.style import MUTED, WIDTH, epoch_axis, line_styles, new_figure, save_png, styled

# Systems of the paper's panels (a, b) and (c, d).
PANELS = (
    ("weights, both modalities", ("MM-static", "MM-dynamic")),
    ("modalities, learnt weights", ("UM-dynamic-A", "UM-dynamic-V", "MM-dynamic")),
)
PARTS = ("training", "validation")
Systems = Mapping[str, Sequence[Experiment]]
Curve = tuple[list[int], np.ndarray]


def draw_figures(systems: Systems, reported: Mapping[str, Mapping[str, float]], out: Path) -> None:
    """Write joint_loss.png and weights.png.

    Args:
        systems: Experiments over seeds and folds by system.
        reported: The paper's weights by system and task.
        out: Folder, made if missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    with styled():
        save_png(joint_loss_figure(systems), out / "joint_loss.png", "Joint loss by epoch")
        save_png(weight_figure(systems, reported), out / "weights.png", "Weights by epoch")


def joint_loss(experiment: Experiment, part: str) -> Curve:
    """Return the joint loss by epoch, nats for each utterance.

    In training the mean over steps of what is minimised; in validation sum_k w_k L_k of the epoch's mean weights and
    the tasks' mean losses over the whole set.
    """
    if part == "training":
        epochs, values = series(experiment.train, "loss")
        return epochs, np.array(values)
    names = experiment.spec.names
    weights = [dict(zip(*series(experiment.train, f"weight_{name}"), strict=True)) for name in names]
    losses = [dict(zip(*series(experiment.valid, f"loss_{name}"), strict=True)) for name in names]
    epochs = sorted(set.intersection(*(set(found) for found in (*weights, *losses))))
    sums = [sum(w[epoch] * loss[epoch] for w, loss in zip(weights, losses, strict=True)) for epoch in epochs]
    return epochs, np.array(sums)


def mean_curve(curves: Sequence[Curve]) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Return epochs that all curves have, mean and deviation (n - 1; 0 for one) over the curves."""
    epochs = sorted(set.intersection(*(set(epochs) for epochs, _ in curves)))
    rows = np.array([[dict(zip(e, values, strict=True))[epoch] for epoch in epochs] for e, values in curves])
    deviation = rows.std(axis=0, ddof=1) if len(rows) > 1 else np.zeros(len(epochs))
    return epochs, rows.mean(axis=0), deviation


def joint_loss_figure(systems: Systems) -> Figure:
    """Draw four panels as the paper's figure 2, a to d; a row has one scale, a system one colour."""
    styles = dict(zip(systems, line_styles(len(systems)), strict=True))
    rows = [(title, [name for name in names if name in systems]) for title, names in PANELS]
    others = [name for name in systems if all(name not in names for _, names in PANELS)]
    rows = [(title, [*names, *others]) for title, names in rows if names] or [("systems", others)]
    figure = new_figure(1.75 * WIDTH, 2.35 * len(rows) + 0.35)
    panels = figure.subplots(len(rows), 2, sharex=True, sharey="row", squeeze=False)
    lines = {}
    for row, (title, names) in enumerate(rows):
        for column, part in enumerate(PARTS):
            axes = panels[row, column]
            for name in names:
                lines[name] = _draw(axes, [joint_loss(e, part) for e in systems[name]], styles[name])
            axes.set_title(f"({'abcd'[2 * row + column]}) {part}: {title}", fontsize=9)
            axes.set_ylim(0, None)
        panels[row, 0].set_ylabel("joint loss (nats)")
    for axes in panels[-1]:
        epoch_axis(axes)
    figure.legend(lines.values(), lines, loc="outside lower left", ncols=4, handlelength=2.4)
    return figure


def weight_figure(systems: Systems, reported: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw the first task's share of the weights by epoch; dots at the end: the paper's weights."""
    task = next(iter(systems.values()))[0].spec.names[0]
    figure = new_figure(WIDTH, 3.0 + 0.17 * len(systems))
    axes = figure.subplots()
    last = 1
    for (name, experiments), style in zip(systems.items(), line_styles(len(systems)), strict=True):
        curves = [weight_share(experiment, task) for experiment in experiments]
        line = _draw(axes, curves, style)
        line.set_label(name)
        last = max(last, *(max(epochs) for epochs, _ in curves))
    for name, style in zip(systems, line_styles(len(systems)), strict=True):
        if task in reported.get(name, {}):
            axes.plot(last + 0.02 * last, reported[name][task], "o", color=style["color"], markersize=5, clip_on=False)
    axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    axes.set_ylabel(f"share of {task.replace('_', ' ')}")
    axes.set_ylim(0, 1)
    epoch_axis(axes)
    if any(name in reported for name in systems):
        axes.set_xlabel("epoch (dots: the paper's weights at the end)")
    figure.legend(loc="outside lower left", ncols=2, handlelength=2.4)
    return figure


def weight_share(experiment: Experiment, task: str) -> Curve:
    """Return a task's weight as a share of all tasks' weights, by epoch."""
    rows = [series(experiment.train, f"weight_{name}") for name in experiment.spec.names]
    total = np.sum([values for _, values in rows], axis=0)
    epochs, values = series(experiment.train, f"weight_{task}")
    return epochs, np.array(values) / total


def _draw(axes: Axes, curves: Sequence[Curve], style: Mapping[str, object]) -> object:
    epochs, mean, deviation = mean_curve(curves)
    (line,) = axes.plot(epochs, mean, marker="o" if len(epochs) < 2 else None, markersize=4, **style)
    if deviation.any():
        axes.fill_between(epochs, mean - deviation, mean + deviation, color=style["color"], alpha=0.15, linewidth=0)
    return line
