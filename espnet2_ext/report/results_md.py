"""`RESULTS.md` of one experiment."""

from espnet2_ext.report.exits import chosen_exits
from espnet2_ext.report.experiment import Experiment
from espnet2_ext.report.facts import DEFAULT_WEIGHTS, command, fact_rows, versions_text
from espnet2_ext.report.naming import metric_label, resampled, size_of
from espnet2_ext.report.scored_set import ScoredSet, metric_titles
from espnet2_ext.report.text_table import escape_markdown, format_interval, format_number, markdown_table


def results_markdown(experiment: Experiment, sets: list[ScoredSet]) -> str:
    """Return what was measured and what it was made with."""
    parts = [f"# Results of {escape_markdown(experiment.name)}", "Generated from the experiment; do not edit."]
    facts = [*fact_rows(experiment), ("Versions", versions_text(experiment))]
    parts.append("\n".join(f"- {name}: {escape_markdown(value)}" for name, value in facts))
    if command(experiment):
        parts.append("Command:\n\n" + "\n".join(f"    {line}" for line in command(experiment).splitlines()))
    parts.append(_overview(experiment, sets))
    if experiment.valid:
        parts.append(f"Of the weights that stage 7 predicted with: {DEFAULT_WEIGHTS}.")
    chosen = chosen_exits(experiment)
    if chosen:
        parts.append(f"Learnt exits in the best epoch, {chosen[0].epoch} (means over its steps):")
        parts.append("\n".join(f"- {escape_markdown(choice.text)}" for choice in chosen))
    for scored in sets:
        bootstrap = scored.score.get("bootstrap") or {}
        parts.append(f"## {escape_markdown(scored.name)}")
        labelled = ", ".join(f"{name} {count}" for name, count in scored.score["labelled"].items())
        sentence = f"{size_of(scored.score)}; labelled: {escape_markdown(labelled)}."
        if number := bootstrap.get("resamplings", 0):
            sentence += f" Intervals: 95 % of {resampled(number, scored.score['n_speakers'])}."
        parts.append(sentence)
        parts.extend(_by_label(experiment, scored))
    return "\n\n".join(parts) + "\n"


def _overview(experiment: Experiment, sets: list[ScoredSet]) -> str:
    header = ["metric", *(text for scored in sets for text in (scored.name, "95 % interval"))]
    rows = []
    for key, title in metric_titles(experiment, sets).items():
        cells = [title]
        for scored in sets:
            entry = scored.entries[key]
            cells += [format_number(entry["value"]), format_interval(entry["interval"])]
        rows.append(cells)
    return markdown_table(header, rows)


def _by_label(experiment: Experiment, scored: ScoredSet) -> list[str]:
    tables = []
    for task in experiment.spec:
        by_label = scored.score["per_dimension"][task.name]
        columns = ("recall", "f1") if task.is_classification else ("ccc", "pearson", "mae")
        header = [task.name, "labels", *(metric_label(column, task.unit) for column in columns)]
        rows = [
            [label, f"{values['count']:.0f}", *(format_number(values[column]) for column in columns)]
            for label, values in by_label.items()
        ]
        tables.append(markdown_table(header, rows))
    return tables
