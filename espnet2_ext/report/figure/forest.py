"""Several experiments by metric, with their intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from espnet2_ext.report.figure.style import COLOURS, WIDTH, new_figure


def forest_figure(names: Sequence[str], label: str, entries: Sequence[Mapping[str, Any] | None]) -> Figure:
    """Draw one metric: a point and an interval for each experiment.

    Args:
        names: Experiments, from top to bottom.
        label: The metric.
        entries: `value` and `interval` of each; None where the experiment has no such task.
    """
    figure = new_figure(WIDTH, 0.75 + 0.3 * len(names))
    axes = figure.subplots()
    for i, entry in enumerate(entries):
        if entry is None or entry["value"] is None:
            continue
        colour = COLOURS[i % len(COLOURS)]
        if entry["interval"] is not None:
            axes.plot(entry["interval"], [i, i], color=colour, linewidth=2.2, solid_capstyle="butt", alpha=0.55)
        axes.plot(entry["value"], i, "o", color=colour, markersize=6)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(label)
    axes.grid(True, axis="x")
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure
