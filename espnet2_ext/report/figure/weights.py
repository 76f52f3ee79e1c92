"""Trajectories of the task weights."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from espnet2_ext.report.experiment import Experiment, series
from espnet2_ext.report.figure.style import ACCENT, MUTED, WIDTH, epoch_axis, line_styles, new_figure


def has_weights(experiment: Experiment) -> bool:
    """Whether the history knows task weights."""
    return any(series(experiment.train, f"weight_{task}")[0] for task in experiment.spec.names)


def weighted_losses(experiment: Experiment) -> tuple[str, ...]:
    """Names of the tasks, and of what else the history knows a weight (twins have more losses than tasks)."""
    names = experiment.spec.names
    found = {
        key.removeprefix("weight_")
        for values in experiment.train.values()
        for key in values
        if key.startswith("weight_")
    }
    return (*names, *sorted(found - set(names)))


def weight_curve(experiment: Experiment) -> Figure:
    """Draw each task's mean weight by epoch; below, where there are such, what a restraint holds and the balance."""
    names = weighted_losses(experiment)
    more = [draw for draw in (_restraint, _balance) if series(experiment.train, _SHOWN_BY[draw])[0]]
    heights = [2.7 + 0.17 * max(0, len(names) - 3), *[1.5] * len(more)]
    figure = new_figure(WIDTH, sum(heights))
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    upper = panels[0]
    for task, style in zip(names, line_styles(len(names)), strict=True):
        points = series(experiment.train, f"weight_{task}")
        upper.plot(*points, label=task, marker="o" if len(points[0]) < 2 else None, markersize=4, **style)
    upper.set_ylabel("task weight")
    upper.set_ylim(min(0, upper.get_ylim()[0]), max(upper.get_ylim()[1], 0.1))
    upper.legend(ncols=min(4, len(names)), loc="lower left", bbox_to_anchor=(0, 0.99), borderpad=0, handlelength=2.4)
    for axes, draw in zip(panels[1:], more, strict=True):
        draw(axes, experiment)
    epoch_axis(panels[-1])
    return figure


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
