"""Shares of learnt exits."""

import matplotlib as mpl
from matplotlib.figure import Figure

from espnet2_ext.report.exits import chosen_exits, exit_numbers
from espnet2_ext.report.experiment import Experiment, best_epoch, series
from espnet2_ext.report.figure.style import DASHES, INK, MUTED, WIDTH, epoch_axis, new_figure


def exit_curves(experiment: Experiment) -> Figure:
    """Draw each exit's mean share by epoch, a panel for each task whose exit is learnt, from light (1) to dark."""
    chosen = chosen_exits(experiment)
    figure = new_figure(WIDTH, 0.9 + 1.35 * len(chosen))
    panels = figure.subplots(len(chosen), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    lines = {}
    for axes, choice in zip(panels, chosen, strict=True):
        numbers = exit_numbers(experiment, choice.task)
        for number, style in zip(numbers, _styles(len(numbers)), strict=True):
            points = series(experiment.train, f"exit_{choice.task}_{number}")
            (line,) = axes.plot(*points, marker="o" if len(points[0]) < 2 else None, markersize=4, **style)
            lines.setdefault(f"exit {number}", line)
        axes.axhline(1 / len(numbers), color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
        axes.axvline(choice.epoch, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
        axes.set_ylabel("share")
        axes.set_title(choice.task.replace("_", " "), fontsize=9)
        text = f"exit {choice.number}, expected depth {choice.depth:.2f}"
        axes.set_title(text, loc="right", fontsize=8.5, fontweight="normal", color=MUTED)
    panels[0].set_ylim(0, None)
    epoch_axis(panels[-1])
    which = "last" if best_epoch(experiment) is None else "best"
    panels[-1].set_xlabel(f"epoch (dotted: equal shares; {which} epoch, {chosen[0].epoch})")
    figure.legend(lines.values(), lines, loc="outside lower left", ncols=min(5, len(lines)), handlelength=1.8)
    return figure


def _styles(n: int) -> list[dict[str, object]]:
    """Return colour and dashes for n exits, the deeper the darker."""
    colours = mpl.colormaps["viridis_r"]
    return [{"color": colours(0.15 + 0.85 * i / max(n - 1, 1)), "linestyle": DASHES[i % len(DASHES)]} for i in range(n)]
