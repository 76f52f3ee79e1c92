"""Trajectories of the task weights."""

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
    """Draw each task's mean weight by epoch; below, the sum that a restraint leads towards phi, where there is one."""
    epochs, sums = series(experiment.train, "restraint_sum")
    names = weighted_losses(experiment)
    height = 2.7 + 0.17 * max(0, len(names) - 3)
    figure = new_figure(WIDTH, height + (1.5 if epochs else 0))
    panels = figure.subplots(
        2 if epochs else 1, 1, sharex=True, squeeze=False, height_ratios=(height, 1.5)[: 1 + bool(epochs)]
    )
    upper = panels[0, 0]
    for task, style in zip(names, line_styles(len(names)), strict=True):
        points = series(experiment.train, f"weight_{task}")
        upper.plot(*points, label=task, marker="o" if len(points[0]) < 2 else None, markersize=4, **style)
    upper.set_ylabel("task weight")
    upper.set_ylim(min(0, upper.get_ylim()[0]), max(upper.get_ylim()[1], 0.1))
    upper.legend(ncols=min(4, len(names)), loc="lower left", bbox_to_anchor=(0, 0.99), borderpad=0, handlelength=2.4)
    if epochs:
        lower = panels[1, 0]
        lower.plot(epochs, sums, color=ACCENT, marker="o" if len(epochs) < 2 else None, markersize=4)
        lower.set_ylabel("restrained sum")
        phi = (experiment.config.get("weighting_conf") or {}).get("phi")
        if isinstance(phi, int | float):
            lower.axhline(phi, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
            lower.annotate(f"phi = {phi:g}", (1, phi), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                           color=MUTED, fontsize=8.5, xytext=(0, 2), textcoords="offset points")  # fmt: skip
        low, high = lower.get_ylim()
        lower.set_ylim(min(0, low), high + 0.15 * (high - min(0, low)))
    epoch_axis(panels[-1, 0])
    return figure
