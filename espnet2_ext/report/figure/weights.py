"""Trajectories of the weights: of tasks, and of the dimensions of tasks that are weighted among themselves."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from espnet2_ext.report.experiment import Experiment, series
from espnet2_ext.report.figure.style import ACCENT, FAINT, MUTED, WIDTH, epoch_axis, from_zero, line_styles, new_figure


def has_weights(experiment: Experiment) -> bool:
    """Whether the history knows task weights."""
    return any(series(experiment.train, f"weight_{task}")[0] for task in experiment.spec.names)


def weighted_losses(experiment: Experiment) -> tuple[str, ...]:
    """Names of the tasks, and of what else the history knows a weight (twins have more losses than tasks)."""
    names = experiment.spec.names
    inner = {f"{task}_{name}" for task, dimensions in weighted_dimensions(experiment).items() for name in dimensions}
    return (*names, *sorted(_weighted(experiment) - set(names) - inner))


def weighted_dimensions(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """Tasks whose dimensions have weights of their own in the history, and the names of these."""
    found = _weighted(experiment)
    by_task = {
        task.name: tuple(name for name in task.dimensions if f"{task.name}_{name}" in found) for task in experiment.spec
    }
    return {task: names for task, names in by_task.items() if names}


def extremes(experiment: Experiment, task: str, names: tuple[str, ...], count: int = 1) -> list[tuple[str, float]]:
    """Return the `count` dimensions with the greatest weights of the last epoch, then those with the least."""
    last = [(name, series(experiment.train, f"weight_{task}_{name}")[1]) for name in names]
    order = sorted(((name, values[-1]) for name, values in last if values), key=lambda item: -item[1])
    return [*order[:count], *order[max(count, len(order) - count) :]]


def weight_curve(experiment: Experiment) -> Figure:
    """Draw each task's mean weight by epoch.

    Below, where there are such, what a restraint holds, the balance, and a panel for each task whose dimensions are
    weighted; of more than 12 dimensions it names those that end highest and lowest.
    """
    names, inner = weighted_losses(experiment), weighted_dimensions(experiment)
    more = [draw for draw in (_restraint, _balance) if series(experiment.train, _SHOWN_BY[draw])[0]]
    heights = [2.7 + 0.17 * max(0, len(names) - 3), *[1.5] * len(more)]
    heights += [2.1 + 0.17 * _legend_rows(dimensions[:_NAMED_LINES]) for dimensions in inner.values()]
    figure = new_figure(WIDTH, sum(heights))
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    _lines(panels[0], experiment, {name: f"weight_{name}" for name in names}, _columns(names))
    panels[0].set_ylabel("task weight")
    for axes, draw in zip(panels[1:], more, strict=False):
        draw(axes, experiment)
    for axes, (task, dimensions) in zip(panels[1 + len(more) :], inner.items(), strict=True):
        _dimensions(axes, experiment, task, dimensions)
    epoch_axis(panels[-1])
    return figure


# Lines of a panel that a legend can name, and how many of each end it names of more.
_NAMED_LINES, _NAMED_ENDS = 12, 3


def _weighted(experiment: Experiment) -> set[str]:
    keys = {key for values in experiment.train.values() for key in values}
    return {key.removeprefix("weight_") for key in keys if key.startswith("weight_")}


def _dimensions(axes: Axes, experiment: Experiment, task: str, names: tuple[str, ...]) -> None:
    """Draw the weights of a task's dimensions."""
    if len(names) > _NAMED_LINES:
        for name in names:
            axes.plot(*series(experiment.train, f"weight_{task}_{name}"), color=FAINT, linewidth=0.8)
        names = tuple(name for name, _ in extremes(experiment, task, names, _NAMED_ENDS))
    columns = -(-len(names) // max(1, _legend_rows(names)))
    _lines(axes, experiment, {name: f"weight_{task}_{name}" for name in names}, columns)
    axes.set_ylabel(f"weight in {task}")


def _columns(names: tuple[str, ...]) -> int:
    """Columns of a legend that is as wide as the figure: up to 4, about 50 letters, 7 of each column for its lines."""
    for columns in range(min(4, len(names)), 1, -1):
        # A legend is filled by columns, the first ones with the names that are over.
        widths = [max(map(len, part)) + 7 for part in np.array_split(names, columns)]
        if sum(widths) <= 50:
            return columns
    return 1


def _legend_rows(names: tuple[str, ...]) -> int:
    """Rows of a legend that is as wide as the figure: about 50 letters."""
    columns = max(1, min(4, 50 // (max(map(len, names), default=1) + 7)))
    return -(-len(names) // columns)


def _lines(axes: Axes, experiment: Experiment, shown: Mapping[str, str], columns: int) -> None:
    """Draw statistics by the name that the legend gives them; the axis goes down to 0."""
    for (name, key), style in zip(shown.items(), line_styles(len(shown)), strict=True):
        points = series(experiment.train, key)
        axes.plot(*points, label=name, marker="o" if len(points[0]) < 2 else None, markersize=4, **style)
    from_zero(axes, 0.1)
    axes.legend(ncols=columns, loc="lower left", bbox_to_anchor=(0, 0.99), borderpad=0, handlelength=2.4)


def _restraint(axes: Axes, experiment: Experiment) -> None:
    """Draw the sum that a restraint leads towards phi."""
    _line(axes, experiment, "restraint_sum", "restrained sum")
    phi = (experiment.config.get("weighting_conf") or {}).get("phi")
    if isinstance(phi, int | float):
        _level(axes, phi)
        axes.annotate(f"phi = {phi:g}", (1, phi), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                      color=MUTED, fontsize=8.5, xytext=(0, 2), textcoords="offset points")  # fmt: skip
    low, high = axes.get_ylim()
    axes.set_ylim(min(0, low), high + 0.15 * (high - min(0, low)))


def _balance(axes: Axes, experiment: Experiment) -> None:
    """Draw the balance of two weightings, 1/2 where both count alike."""
    _line(axes, experiment, "balance", "balance b")
    _level(axes, 0.5)  # without words, which a curve nearby would cross; the axis has the number
    axes.set_ylim(0, 1)


_SHOWN_BY = {_restraint: "restraint_sum", _balance: "balance"}


def _line(axes: Axes, experiment: Experiment, name: str, label: str) -> None:
    epochs, values = series(experiment.train, name)
    axes.plot(epochs, values, color=ACCENT, marker="o" if len(epochs) < 2 else None, markersize=4)
    axes.set_ylabel(label)


def _level(axes: Axes, value: float) -> None:
    axes.axhline(value, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
