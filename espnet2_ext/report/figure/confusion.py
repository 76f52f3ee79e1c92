"""Confusion matrices."""

import numpy as np
from matplotlib.figure import Figure

from espnet2_ext.report.figure.style import INK, new_figure


def confusion_figure(classes: list[str], counts: np.ndarray) -> Figure:
    """Draw a confusion matrix: shares of each true class as shades and per cent, counts below.

    Args:
        classes: C names.
        counts: (C, C), row: true class.
    """
    n = len(classes)
    names = [name.replace("_", " ") for name in classes]
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    side = 0.62 * n
    longest = max(map(len, names))
    figure = new_figure(side + 1.1 + 0.075 * longest, side + 0.9 + 0.055 * longest)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else INK
        if counts[row, column]:
            axes.text(column, row - 0.09, f"{100 * share:.0f} %", ha="center", va="center", color=colour, fontsize=9)
            axes.text(column, row + 0.24, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=7)
    axes.set_xticks(range(n), names, rotation=35 if longest > 5 else 0, ha="right" if longest > 5 else "center",
                    rotation_mode="anchor")  # fmt: skip
    axes.set_yticks(range(n), [f"{name} ({total})" for name, total in zip(names, totals[:, 0], strict=True)])
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class (utterances)")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure
