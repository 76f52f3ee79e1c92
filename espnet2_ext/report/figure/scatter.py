"""Predicted against true values."""

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from espnet2_ext.mtl.task_spec import Task
from espnet2_ext.report.figure.style import ACCENT, INK, MUTED, new_figure

# From here on single points hide each other, and their density is drawn.
_MANY = 1500
# Count that would be white: below 1, so that a single outlier is seen on white.
_LIGHTEST = 0.2


@dataclass(frozen=True)
class Scatter:
    """A regression task's values on one set.

    Attributes:
        task: The task.
        target: (N, D), NaN where missing.
        prediction: (N, D).
        ccc: By dimension; None where not defined.
    """

    task: Task
    target: np.ndarray
    prediction: np.ndarray
    ccc: dict[str, float | None]

    def limits(self) -> tuple[float, float]:
        """Return the ends of all axes, the same for all panels: the task's range, widened to hold every prediction."""
        known = ~np.isnan(self.target)
        values = np.concatenate([self.target[known], self.prediction[known]])
        bounds = self.task.range or ((0.0, 1.0) if self.task.activation == "sigmoid" else None)
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        if bounds:
            low, high = min(low, bounds[0]), max(high, bounds[1])
        pad = 0.03 * (high - low) or 0.5
        return low - pad, high + pad


def scatter_panels(scatter: Scatter) -> list[Figure]:
    """Return one small figure for each dimension."""
    figures = []
    for d in range(scatter.task.n_outputs):
        figure = new_figure(2.5, 2.65)
        _draw(figure.subplots(), scatter, d)
        figures.append(figure)
    return figures


def scatter_grid(scatter: Scatter) -> Figure:
    """Return all dimensions in one figure, five a row."""
    n = scatter.task.n_outputs
    columns = min(5, n)
    rows = math.ceil(n / columns)
    figure = new_figure(2.4 * columns + 0.2, 2.55 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for d, axes in enumerate(panels[:n]):
        _draw(axes, scatter, d)
    for axes in panels[n:]:
        axes.set_axis_off()
    return figure


def _draw(axes: Axes, scatter: Scatter, d: int) -> None:
    task, limits = scatter.task, scatter.limits()
    known = ~np.isnan(scatter.target[:, d])
    truth, prediction = scatter.target[known, d], scatter.prediction[known, d]
    axes.plot(limits, limits, color=MUTED, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    if truth.size > _MANY:
        extent = (*limits, *limits)
        axes.hexbin(truth, prediction, gridsize=34, extent=extent, bins="log", mincnt=1, vmin=_LIGHTEST, cmap="Blues",
                    linewidths=0.1, rasterized=True)  # fmt: skip
    else:
        alpha = float(np.clip(6 / math.sqrt(truth.size + 1), 0.25, 0.8))
        axes.scatter(truth, prediction, s=12, alpha=alpha, color=ACCENT, linewidths=0, rasterized=truth.size > 300)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.grid(False)
    axes.locator_params(nbins=5)
    unit = f" ({task.unit})" if task.unit else ""
    axes.set_xlabel(f"true{unit}")
    axes.set_ylabel(f"predicted{unit}")
    name = task.dimensions[d]
    axes.set_title(name.replace("_", " "))
    value = scatter.ccc.get(name)
    text = f"CCC {value:.2f}, n {truth.size}" if value is not None else f"n {truth.size}"
    # Below the diagonal: where predictions are no worse than the mean, the top left and bottom right stay the emptiest.
    axes.text(0.98, 0.03, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=8.5, color=INK,
              bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.5})  # fmt: skip
