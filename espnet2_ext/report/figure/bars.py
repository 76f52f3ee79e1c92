"""Bars by dimension or class."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from espnet2_ext.report.figure.style import ACCENT, INK, MUTED, WIDTH, new_figure


def bar_figure(names: Sequence[str], values: Sequence[float | None], label: str) -> Figure:
    """Draw one horizontal bar a name, with its value; None is written as `no label`.

    Args:
        names: Dimensions or classes, from top to bottom.
        values: Values, at most 1.
        label: What is drawn, e.g. `CCC`.
    """
    figure = new_figure(WIDTH, 0.7 + 0.27 * len(names))
    axes = figure.subplots()
    axes.barh(range(len(names)), [value or 0 for value in values], color=ACCENT, height=0.66)
    for i, value in enumerate(values):
        text = "no label" if value is None else f"{value:.2f}"
        axes.annotate(
            text, (max(value or 0, 0), i), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5,
            color=MUTED if value is None else INK,
        )  # fmt: skip
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.invert_yaxis()
    # One scale for all tasks; room for a number beside a full bar.
    lowest = min([0.0, *(value for value in values if value is not None)])
    axes.set_xlim(lowest * 1.1, 1.09)
    axes.set_xticks([tick / 5 for tick in range(-5, 6) if tick / 5 >= lowest * 1.1])
    axes.set_xlabel(label)
    axes.grid(True, axis="x")
    axes.grid(False, axis="y")
    axes.axvline(0, color=MUTED, linewidth=0.7)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure
