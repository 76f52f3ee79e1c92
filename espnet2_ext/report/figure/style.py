"""The look that all figures share, and how they are kept."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from espnet2_ext.fileio.atomic import atomic_path

INK = "#1f2430"
MUTED = "#6b7280"
FAINT = "#d9dce3"
# Okabe and Ito's colours, which the common colour blindnesses tell apart; yellow is too light for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Series differ in more than their colour, for prints in grey.
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
ACCENT = COLOURS[0]
# Width of a figure that fills a phone's screen, inches; its text is then about 11 px high.
WIDTH = 4.4

_STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "lines.linewidth": 1.7,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.08,
    "savefig.facecolor": "white",
    # The same figure gives the same bytes.
    "svg.hashsalt": "report",
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the shared style inside the block; matplotlib's own settings stay as they are."""
    with mpl.rc_context(_STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure (inches) that belongs to no window."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_png(figure: Figure, path: Path, title: str) -> None:
    """Write a PNG under a title, complete or not at all. A page has its titles as text: call `svg_uri` before."""
    figure.set_figheight(figure.get_figheight() + 0.3)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=160, metadata={"Software": None})


def svg_uri(figure: Figure) -> str:
    """Return a figure as the address of an image that lies in the address itself."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", dpi=160, metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def line_styles(n: int) -> list[dict[str, object]]:
    """Return colour and dashes for n lines, no two alike up to 28."""
    rounds = [divmod(i, len(COLOURS)) for i in range(n)]
    return [{"color": COLOURS[i], "linestyle": DASHES[(i + turn) % len(DASHES)]} for turn, i in rounds]


def epoch_axis(axes: Axes) -> None:
    """Make the horizontal axis one of whole epochs."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))


def from_zero(axes: Axes, least: float = 0.0) -> None:
    """Make the vertical axis reach down to 0, so that a small change looks small, and above its lines and `least`."""
    low, high = min(0, axes.get_ylim()[0]), max(axes.get_ylim()[1], least)
    # What hardly changes would lie on the edge: the margin is a share of the change.
    axes.set_ylim(low, high + 0.05 * (high - low))
