#!/usr/bin/env python3
"""The folds of experiments as one table: mean and deviation over folds, and the predictions of all folds together."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from protocols import LEAKING

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.mtl.metric import evaluate
from espnet2_ext.mtl.task_spec import TaskSpec
from espnet2_ext.report.experiment import read_experiment
from espnet2_ext.report.naming import metric_name
from espnet2_ext.report.score_set import PredictedSet, read_predicted_set
from espnet2_ext.report.text_table import format_number, markdown_table, plain_table

# A probability that single precision rounds to 0 costs 87 nats.
_LEAST = float(np.finfo(np.float32).tiny)
Values = dict[str, float]


@dataclass(frozen=True)
class System:
    """One configuration and seed.

    Attributes:
        name: The experiments' name.
        folds: Scores of each fold.
        pooled: Scores of all folds' predictions together.
    """

    name: str
    folds: list[Values]
    pooled: Values


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp_dir", type=Path, required=True, help="folder of fold1, fold2, ...")
    parser.add_argument("--folds", type=int, required=True, help="number of folds")
    parser.add_argument("--tags", nargs="+", required=True, help="experiments, one row each")
    parser.add_argument("--set", default="test", dest="set_name", help="set that the table is of")
    parser.add_argument("--title", required=True)
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    arguments = parser.parse_args()
    systems = []
    titles: dict[str, str] = {}
    for tag in arguments.tags:
        paths = [arguments.exp_dir / f"fold{number}" / tag for number in range(1, arguments.folds + 1)]
        system, names = read_system(tag, paths, arguments.set_name)
        systems.append(system)
        titles |= names
    leaks = arguments.exp_dir.name.split("_")[0] in LEAKING
    with atomic_path(arguments.out) as temporary:
        temporary.write_text(markdown(arguments.title, arguments.set_name, systems, titles, leaks), encoding="utf-8")
    print(plain_table(*over_folds(systems, titles)))


def read_system(name: str, paths: Sequence[Path], set_name: str) -> tuple[System, dict[str, str]]:
    """Score the folds of one system.

    Returns:
        The system, and how its values are called by key.

    Raises:
        UserError: A fold is not trained or predicted, its tasks differ from the first one's, or an utterance is in two.
    """
    experiments = [read_experiment(path) for path in paths]
    spec = experiments[0].spec
    for experiment in experiments:
        if experiment.spec != spec:
            raise UserError(f"{experiment.path}/config.yaml: other tasks than {paths[0]}; train the folds again")
    # Labels lie beside those of the development set.
    found = [
        read_predicted_set(
            e.predict_dir(set_name) / "predictions.jsonl", Path(e.config["valid_dir"]).parent / set_name, spec
        )
        for e in experiments
    ]
    together = pool(found)
    return System(name, [scores(one) for one in found], scores(together)), titles_of(spec)


def pool(sets: Sequence[PredictedSet]) -> PredictedSet:
    """Put the predictions of all folds together.

    Raises:
        UserError: An utterance is in two folds.
    """
    utts = [utt for one in sets for utt in one.utts]
    if len(set(utts)) != len(utts):
        twice = next(utt for utt in utts if utts.count(utt) > 1)
        raise UserError(f"{twice}: is in two folds; table a set that each utterance is in once, such as test")
    return PredictedSet(
        sets[0].spec,
        utts,
        [speaker for one in sets for speaker in one.speakers],
        {name: np.concatenate([one.predictions[name] for one in sets]) for name in sets[0].spec.names},
        {name: np.concatenate([one.targets[name] for one in sets]) for name in sets[0].spec.names},
    )


def scores(found: PredictedSet) -> Values:
    """Return all metrics, each classification's negative log-likelihood, and their sum (nats per utterance)."""
    values = evaluate(found.spec, found.predictions, found.targets)
    values.pop(found.spec.score.name)
    likelihoods = {
        f"{task.name}_nll": negative_log_likelihood(found.predictions[task.name], found.targets[task.name])
        for task in found.spec
        if task.is_classification
    }
    joint = {"joint_nll": sum(likelihoods.values())} if len(likelihoods) > 1 else {}
    return {**values, **likelihoods, **joint}


def negative_log_likelihood(probabilities: np.ndarray, target: np.ndarray) -> float:
    """Mean -log p of the true class.

    Args:
        probabilities: (N, C).
        target: (N,) class numbers; -1 where missing.

    Returns:
        Nats per labelled utterance, >= 0; NaN without any label.
    """
    rows = np.flatnonzero(target >= 0)
    if not rows.size:
        return float("nan")
    return float(-np.log(np.maximum(probabilities[rows, target[rows]].astype(np.float64), _LEAST)).mean())


def titles_of(spec: TaskSpec) -> dict[str, str]:
    """Return how the values of `scores` are called, in the order of the table."""
    titles = {}
    for task in spec:
        names = ("uar", "wa", "macro_f1") if task.is_classification else ("ccc", "pearson", "mae")
        titles |= {f"{task.name}_{name}": metric_name(spec, f"{task.name}_{name}") for name in names}
        if task.is_classification:
            titles[f"{task.name}_nll"] = f"{task.name} NLL"
    if sum(task.is_classification for task in spec) > 1:
        titles["joint_nll"] = "joint NLL"
    return titles


def over_folds(systems: Sequence[System], titles: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: mean and deviation (n - 1) over the folds in which a value is defined."""
    lines = []
    for system in systems:
        values = {key: [fold.get(key, np.nan) for fold in system.folds] for key in titles}
        lines.append([system.name, str(len(system.folds)), *(spread(values[key]) for key in titles)])
    return ["system", "folds", *titles.values()], lines


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Return mean and deviation (n - 1) of the values that are defined."""
    known = np.array([value for value in values if not np.isnan(value)])
    if known.size < 2:
        return format_number(float(known[0]) if known.size else None, digits)
    return f"{known.mean():.{digits}f} ± {known.std(ddof=1):.{digits}f}"


def _row(name: str, values: Values, titles: Mapping[str, str]) -> list[str]:
    return [name, *(format_number(None if np.isnan(values.get(key, np.nan)) else values[key]) for key in titles)]


def markdown(title: str, set_name: str, systems: Sequence[System], titles: Mapping[str, str], leaks: bool) -> str:
    """Return the page."""
    header = ["system", *titles.values()]
    parts = [f"# {title}: {set_name}", "Generated; do not edit."]
    if leaks:
        parts.append("**The sets of this protocol share all speakers: it says nothing about new ones.**")
    parts += [
        "## Folds",
        "Mean and standard deviation (n - 1) over folds. UAR is also called UA, WA is accuracy; a class without a "
        "label in a fold is left out of its UAR. NLL: mean negative log-likelihood of the labels in nats; joint: its "
        "sum over tasks.",
        markdown_table(*over_folds(systems, titles)),
        "## All folds together",
        "One score of the predictions of all folds.",
        markdown_table(header, [_row(system.name, system.pooled, titles) for system in systems]),
    ]
    for system in systems:
        rows = [_row(str(number), fold, titles) for number, fold in enumerate(system.folds, 1)]
        parts += [f"## {system.name}".replace("_", "\\_"), markdown_table(["fold", *titles.values()], rows)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    run_cli(main)
