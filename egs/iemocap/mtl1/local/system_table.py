#!/usr/bin/env python3
"""Systems over seeds and folds as table I of Chae et al. (2018), and its figure 2.

NLL of a task: the sum of -log p of the true class over the utterances of the development set that have a label (nats).
Joint loss, the paper's equation 3: sum_k w_k NLL_k with the weights at the end of training. The paper gives it "as
negative log-likelihood (validation dataset)" without saying over what it is summed, so the joint loss is here as that
sum, and for each utterance. The weights enter it, so it says little about the model; the NLL of both tasks without
weights stands beside it.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fold_table import negative_log_likelihood, spread
from protocols import LEAKING
from system_figures import draw_figures

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.mtl.metric import evaluate
from espnet2_ext.report.experiment import Experiment, read_experiment, series
from espnet2_ext.report.paper import Paper, read_paper
from espnet2_ext.report.score_set import PredictedSet, read_predicted_set
from espnet2_ext.report.text_table import format_number, markdown_table, plain_table

JOINT = "joint_nll"
MEASURES = {"wa": "WA", "uar": "UA", "macro_f1": "macro F1"}
Values = dict[str, float]
_EXPLAINED = (
    "Mean and standard deviation (n - 1) over seeds and folds. w: task weights at the end of training. Joint loss: w "
    "times -log p of the true class, summed over both tasks and all utterances, in nats; per utterance: its mean. NLL: "
    "means of -log p over the labels, without weights, and their sum."
)
_SCALE = "It does not say over what its joint loss is summed, so the columns side by side need not be of one scale."
_WARNING = (
    "A smaller joint loss is no sign of a better model where weights are learnt: they go to the task with the smaller "
    "loss, which makes the joint loss smaller by itself. Compare NLL, and what is recognised."
)


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        experiment: Its directory.
        weights: Task weights at the end: means over the steps of the last epoch.
        dev: Predictions of the development set.
        test: Predictions of the test set.
    """

    experiment: Experiment
    weights: Values
    dev: PredictedSet
    test: PredictedSet


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exp_dir", type=Path, required=True, help="folder of fold1, fold2, ...")
    parser.add_argument("--folds", type=int, required=True, help="number of folds")
    parser.add_argument("--systems", nargs="+", required=True, help="NAME=EXPERIMENT without its seed")
    parser.add_argument("--seeds", nargs="+", required=True)
    parser.add_argument("--paper", type=Path, help="what a paper reports")
    parser.add_argument("--title", required=True)
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--figures", type=Path, required=True, help="folder for the figures")
    arguments = parser.parse_args()
    systems = {
        name: [
            read_run(arguments.exp_dir / f"fold{fold}" / f"{tag}_seed{seed}")
            for seed in arguments.seeds
            for fold in range(1, arguments.folds + 1)
        ]
        for name, _, tag in (system.partition("=") for system in arguments.systems)
    }
    tasks = next(iter(systems.values()))[0].experiment.spec.names
    paper = read_paper(arguments.paper, [*tasks, JOINT], list(systems)) if arguments.paper else None
    leaks = arguments.exp_dir.name.split("_")[0] in LEAKING
    page = markdown(arguments.title, systems, paper, leaks)
    with atomic_path(arguments.out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    experiments = {name: [run.experiment for run in runs] for name, runs in systems.items()}
    draw_figures(experiments, paper.rows if paper else {}, arguments.figures)
    print(plain_table(*validation_cells(systems, paper)))
    print(plain_table(*recognition_cells(systems, "test")))


def read_run(path: Path) -> Run:
    """Read an experiment with its weights and predictions.

    Raises:
        UserError: It is not trained, predicted, or has a task without a weight or with no classes.
    """
    experiment = read_experiment(path)
    weights = {}
    for task in experiment.spec:
        values = series(experiment.train, f"weight_{task.name}")[1]
        if not values or not task.is_classification:
            raise UserError(f"{path}: task {task.name!r}: the table is of weighted classifications; train it again")
        weights[task.name] = values[-1]
    folder = Path(experiment.config["valid_dir"]).parent
    found = [
        read_predicted_set(experiment.predict_dir(name) / "predictions.jsonl", folder / name, experiment.spec)
        for name in ("dev", "test")
    ]
    return Run(experiment, weights, *found)


def likelihoods(found: PredictedSet) -> tuple[Values, int]:
    """Return the summed negative log-likelihood by task (nats), and the number of utterances."""
    sums = {}
    for task in found.spec:
        labelled = int((found.targets[task.name] >= 0).sum())
        mean = negative_log_likelihood(found.predictions[task.name], found.targets[task.name])
        sums[task.name] = mean * labelled if labelled else 0.0
    return sums, len(found.utts)


def joint_values(run: Run) -> Values:
    """Return the joint loss (sum, and for each utterance), and without weights each task's likelihood and their sum.

    A task's likelihood is the mean over the utterances that have a label of it.
    """
    sums, utterances = likelihoods(run.dev)
    joint = sum(run.weights[name] * value for name, value in sums.items())
    means = {f"{name}_nll": negative_log_likelihood(run.dev.predictions[name], run.dev.targets[name]) for name in sums}
    return {JOINT: joint, "joint_mean": joint / utterances, "nll": sum(means.values()), **means}


def validation_cells(systems: Mapping[str, Sequence[Run]], paper: Paper | None) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: weights and losses on the development set, a paper's beside."""
    tasks = next(iter(systems.values()))[0].experiment.spec.names
    beside = ["paper"] if paper else []
    header = ["system", "runs"]
    for title in (*(f"w {name}" for name in tasks), "joint loss"):
        header += [title, *beside]
    header += ["per utterance", *(f"{name} NLL" for name in tasks), "NLL"]
    lines = []
    for system, runs in systems.items():
        values = [run.weights | joint_values(run) for run in runs]
        line = [system, str(len(runs))]
        for key in (*tasks, JOINT):
            digits = 2 if key == JOINT else 4
            line.append(spread([value[key] for value in values], digits))
            if paper:
                line.append(format_number(paper.rows.get(system, {}).get(key), digits))
        line += [spread([v[key] for v in values]) for key in ("joint_mean", *(f"{name}_nll" for name in tasks), "nll")]
        lines.append(line)
    return header, lines


def recognition_cells(systems: Mapping[str, Sequence[Run]], set_name: str) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: what is recognised in a set, `dev` or `test`."""
    tasks = next(iter(systems.values()))[0].experiment.spec.names
    keys = {f"{name}_{measure}": f"{name} {title}" for name in tasks for measure, title in MEASURES.items()}
    lines = []
    for system, runs in systems.items():
        found = [evaluate(s.spec, s.predictions, s.targets) for s in (getattr(run, set_name) for run in runs)]
        lines.append([system, *(spread([values[key] for values in found]) for key in keys)])
    return ["system", *keys.values()], lines


def markdown(title: str, systems: Mapping[str, Sequence[Run]], paper: Paper | None, leaks: bool) -> str:
    """Return the page."""
    parts = [f"# {title}", "Generated; do not edit."]
    if leaks:
        parts.append("**The sets of this protocol share all speakers: it says nothing about new ones.**")
    parts += ["## Development set", _EXPLAINED]
    if paper:
        parts.append(f"Paper: {paper.source}. {_SCALE}")
    parts += [markdown_table(*validation_cells(systems, paper)), _WARNING]
    for set_name, heading in (("dev", "Development set: recognition"), ("test", "Test set")):
        parts += [f"## {heading}", markdown_table(*recognition_cells(systems, set_name))]
    parts.append("UA: mean recall over classes (UAR), without those that have no label in a fold. WA: accuracy.")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    run_cli(main)
