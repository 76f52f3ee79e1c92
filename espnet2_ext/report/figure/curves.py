"""Learning curves."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from espnet2_ext.report.experiment import Experiment, best_epoch, series
from espnet2_ext.report.figure.style import ACCENT, INK, MUTED, WIDTH, epoch_axis, from_zero, line_styles, new_figure
from espnet2_ext.report.naming import lower_is_better, main_keys, metric_label, score_name, split_key


def has_curves(experiment: Experiment, task: str) -> bool:
    """Whether the history knows a loss of a task."""
    return any(series(part, f"loss_{task}")[0] for part in (experiment.train, experiment.valid))


def learning_curve(experiment: Experiment, task: str) -> Figure:
    """Draw a task's loss in training and validation over its metric in validation."""
    figure = new_figure(WIDTH, 3.9)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.1, 1))
    _draw(upper, *series(experiment.train, f"loss_{task}"), label="train", color=MUTED, linestyle=(0, (4, 1.5)))
    _draw(upper, *series(experiment.valid, f"loss_{task}"), label="dev", color=ACCENT)
    upper.set_ylabel("loss")
    upper.legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 0.99), borderpad=0)
    spec = experiment.spec
    key = next(key for key in main_keys(spec) if (split_key(spec, key) or ("",))[0] == task)
    _, metric = split_key(spec, key) or (task, key)
    _draw(lower, *series(experiment.valid, key), color=ACCENT)
    lower.set_ylabel(f"dev {metric_label(metric, spec[task].unit)}")
    if not lower_is_better(spec, key):
        lower.set_ylim(min(0, lower.get_ylim()[0]), 1)
    epoch_axis(lower)
    _mark_best(experiment, (upper, lower))
    return figure


def score_curve(experiments: Sequence[Experiment]) -> Figure:
    """Draw the score on the validation set by epoch, one line an experiment."""
    figure = new_figure(WIDTH, 2.6 + 0.17 * max(0, len(experiments) - 1))
    axes = figure.subplots()
    single = len(experiments) == 1
    for experiment, style in zip(experiments, line_styles(len(experiments)), strict=True):
        _draw(axes, *series(experiment.valid, "score"), label=experiment.name, **style)
    axes.set_ylabel(f"dev {score_name(experiments[0].spec)}")
    from_zero(axes)
    epoch_axis(axes)
    if single:
        _mark_best(experiments[0], (axes,))
    else:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=1)
    return figure


def _draw(axes: Axes, epochs: list[int], values: list[float], **style: object) -> None:
    # A line needs two points; one epoch is a dot.
    axes.plot(epochs, values, marker="o" if len(epochs) < 2 else None, markersize=4, **style)


def _mark_best(experiment: Experiment, panels: Sequence[Axes]) -> None:
    epoch = best_epoch(experiment)
    if epoch is None:
        return
    for axes in panels:
        axes.axvline(epoch, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    panels[0].annotate(
        f"dotted: best epoch {epoch}", (0, 1), xycoords="axes fraction", xytext=(0, 5), textcoords="offset points",
        color=MUTED, fontsize=8.5,
    )  # fmt: skip
