#!/usr/bin/env python3
"""Reference without a network: an RBF support vector machine for each task, its C chosen on a development set.

The development set is predicted by the machine that learnt from the training set; all others by one that learnt with
the same C from both, as the baselines of challenges do.

Writes config.yaml, env.yaml, chosen.json and predict_<set>/predictions.jsonl, as an experiment directory has them.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import yaml
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from espnet2_ext.data.labels import read_labels
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.fileio.table import read_table
from espnet2_ext.inference.records import write_records
from espnet2_ext.mtl.metric.corpus import CLASSIFICATION_METRICS, REGRESSION_METRICS
from espnet2_ext.mtl.task_spec import Task, load_task_spec
from espnet2_ext.train.environment import describe_environment

COSTS = tuple(2.0**exponent for exponent in range(-5, 9))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=Path, required=True, help="tasks.yaml")
    parser.add_argument("--dump", type=Path, help="dump/<feature> with one vector an utterance; none: log duration")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data directories, with labels")
    parser.add_argument("--train", default="train", help="training set")
    parser.add_argument("--dev", default="dev", help="set that C is chosen on")
    parser.add_argument("--sets", nargs="+", required=True, help="sets to predict")
    parser.add_argument("--out", type=Path, required=True, help="experiment directory to write")
    arguments = parser.parse_args()
    spec = load_task_spec(arguments.tasks)
    names = dict.fromkeys((arguments.train, arguments.dev, *arguments.sets))
    utts, inputs = {}, {}
    for name in names:
        utts[name], inputs[name] = read_inputs(arguments.data / name, arguments.dump and arguments.dump / name)
    outputs: dict[str, dict[str, np.ndarray]] = {name: {} for name in arguments.sets}
    chosen = {}
    for task in spec:
        known = {
            name: (inputs[name], read_labels(arguments.data / name / f"utt2{task.name}", task, utts[name]))
            for name in (arguments.train, arguments.dev)
        }
        train, dev = (labelled(task, *known[name]) for name in (arguments.train, arguments.dev))
        cost, on_dev, model = choose(task, train, dev)
        chosen[task.name] = {"C": cost, f"{arguments.dev}_{task.metric}": on_dev}
        both = machine(task, cost).fit(*(np.concatenate(parts) for parts in zip(train, dev, strict=True)))
        for name in arguments.sets:
            outputs[name][task.name] = predict(model if name in known else both, task, inputs[name])
    write_experiment(arguments.out, spec.to_dict(), chosen)
    for name in arguments.sets:
        (arguments.out / f"predict_{name}").mkdir(parents=True, exist_ok=True)
        write_records(arguments.out / f"predict_{name}" / "predictions.jsonl", spec, utts[name], outputs[name])


def read_inputs(data: Path, dump: Path | None) -> tuple[list[str], np.ndarray]:
    """Return utterances and their vectors (N, D): the features' only row, or the logarithm of the duration."""
    durations = read_table(data / "utt2dur")
    utts = sorted(durations)
    if dump is None:
        return utts, np.log([[float(durations[utt])] for utt in utts])
    reader = ArkReader(dump / "feats.scp")
    return utts, np.stack([reader[utt][0] for utt in utts]).astype(np.float64)


def machine(task: Task, cost: float) -> Pipeline:
    """Return an untrained machine behind a standardisation of its inputs."""
    untrained = SVC(C=cost, class_weight="balanced", break_ties=True) if task.is_classification else SVR(C=cost)
    return make_pipeline(StandardScaler(), untrained)


def choose(
    task: Task, train: tuple[np.ndarray, np.ndarray], dev: tuple[np.ndarray, np.ndarray]
) -> tuple[float, float, Pipeline]:
    """Train with every C; return the best on dev, its metric there, and the model.

    Args:
        task: The task. Of a regression with several dimensions the first is taken.
        train: Inputs (N, D) and labels (N,) to learn from.
        dev: Those that C is chosen by.

    Raises:
        UserError: There are too few labels.
    """
    different = len(np.unique(train[1]))
    if different < 2 or len(dev[1]) == 0:
        raise UserError(
            f"task {task.name}: {different} different labels for training, {len(dev[1])} for the choice of C; "
            "label more, or take the task out of tasks.yaml"
        )
    best: tuple[float, float, Pipeline] | None = None
    for cost in COSTS:
        model = machine(task, cost).fit(*train)
        value = measure(task, predict(model, task, dev[0]), dev[1])
        if best is None or value > best[1]:
            best = (cost, value, model)
    return best


def labelled(task: Task, inputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that have a label: inputs (N, D), labels (N,)."""
    known = labels >= 0 if task.is_classification else ~np.isnan(labels[:, 0])
    return inputs[known], labels[known] if task.is_classification else labels[known, 0]


def predict(model: Pipeline, task: Task, inputs: np.ndarray) -> np.ndarray:
    """Return (N, 1) values inside the task's range, or (N, C) shares: softmax of the decision values."""
    if not task.is_classification:
        low, high = task.range or (-np.inf, np.inf)
        return np.clip(model.predict(inputs), low, high)[:, None]
    decision = model.decision_function(inputs)
    if decision.ndim == 1:
        decision = np.stack((-decision, decision), axis=1)
    shares = np.zeros((len(inputs), task.n_outputs))
    exponents = np.exp(decision - decision.max(axis=1, keepdims=True))
    shares[:, model.classes_] = exponents / exponents.sum(axis=1, keepdims=True)
    return shares


def measure(task: Task, prediction: np.ndarray, label: np.ndarray) -> float:
    """Return the task's own metric."""
    if task.is_classification:
        return float(CLASSIFICATION_METRICS[task.metric](prediction, label))
    return float(REGRESSION_METRICS[task.metric](prediction, label[:, None])[0])


def write_experiment(out: Path, task_spec: dict[str, object], chosen: dict[str, dict[str, float]]) -> None:
    """Write what tables and reports read."""
    out.mkdir(parents=True, exist_ok=True)
    environment = {**describe_environment(), "command": " ".join(["python3", *sys.argv])}
    for name, text in {
        "env.yaml": yaml.safe_dump(environment, sort_keys=False),
        "chosen.json": json.dumps(chosen, indent=1) + "\n",
        "config.yaml": yaml.safe_dump({"task_spec": task_spec, "seed": 1}, sort_keys=False),
    }.items():
        with atomic_path(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_cli(main)
