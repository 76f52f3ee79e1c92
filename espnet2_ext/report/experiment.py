"""What lies in an experiment directory, read for reports and tables."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_spec import Task, TaskSpec, load_task_spec, task_spec_from_dict

# Epoch number -> name -> value; a value that is not finite is NaN.
History = dict[int, dict[str, float]]


@dataclass(frozen=True)
class Experiment:
    """A trained model's directory.

    Attributes:
        path: The directory.
        config: Its `config.yaml`.
        spec: Its tasks.
        train: Statistics of training by epoch.
        valid: Statistics of validation by epoch.
        env: What it was made with (`env.yaml`): date, git, versions, n_parameters, command; empty if unknown.
    """

    path: Path
    config: dict[str, Any]
    spec: TaskSpec
    train: History
    valid: History
    env: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the directory."""
        return self.path.resolve().name

    def predict_dir(self, set_name: str) -> Path:
        """Return where the predictions and the score of a set lie."""
        return self.path / f"predict_{set_name}"

    def score(self, set_name: str) -> dict[str, Any]:
        """Return the content of a set's score.json.

        Raises:
            UserError: It is missing or torn, or of other tasks.
        """
        return read_score(self.predict_dir(set_name) / "score.json", self.spec)


def read_experiment(path: str | Path) -> Experiment:
    """Read an experiment directory.

    Raises:
        UserError: It has no readable `config.yaml`, or `history.json` is torn.
    """
    path = Path(path)
    if not path.is_dir():
        raise UserError(f"{path}: no such experiment; name the directory of a trained model")
    config = _read_yaml(path / "config.yaml")
    spec = _spec_of(config, path / "config.yaml")
    train, valid = _read_history(path / "history.json")
    env = _read_yaml(path / "env.yaml") if (path / "env.yaml").exists() else {}
    return Experiment(path, config, spec, train, valid, env)


def read_spec(path: str | Path) -> TaskSpec:
    """Read the tasks from an experiment's `config.yaml` or from a `tasks.yaml`.

    Raises:
        UserError: The file is missing or is neither.
    """
    data = _read_yaml(Path(path))
    return _spec_of(data, Path(path)) if "task_spec" in data else load_task_spec(path)


def read_score(path: Path, spec: TaskSpec) -> dict[str, Any]:
    """Read a score.json.

    Raises:
        UserError: It is missing or torn, or of other tasks.
    """
    if not path.exists():
        raise UserError(f"{path}: no score; run scoring (stage 8) of this set first")
    data = _read_json(path)
    if not isinstance(data, dict) or not {"score", "metrics", "per_dimension", "labelled"} <= set(data):
        raise UserError(f"{path}: no score of this program; run scoring (stage 8) again")
    if set(data["labelled"]) != set(spec.names):
        raise UserError(f"{path}: of tasks {', '.join(data['labelled'])}, not {', '.join(spec.names)}; score again")
    return data


def check_alike(experiments: Sequence[Experiment]) -> None:
    """Check that a task has the same outputs and unit in all experiments, so that its metrics compare.

    Raises:
        UserError: It has not.
    """
    first: dict[str, tuple[Experiment, Task]] = {}
    for experiment in experiments:
        for task in experiment.spec:
            other, known = first.setdefault(task.name, (experiment, task))
            what = "classes" if task.is_classification else "dimensions"
            if set(task.labels) != set(known.labels):
                raise UserError(
                    f"{experiment.path}: task {task.name} has other {what} than in {other.path}, so its metrics do not "
                    "compare; show these models apart"
                )
            if task.unit != known.unit:
                raise UserError(
                    f"{experiment.path}: task {task.name} has the unit {task.unit!r}, {known.unit!r} in {other.path}; "
                    "show these models apart"
                )


def _spec_of(config: Mapping[str, Any], path: Path) -> TaskSpec:
    if not config.get("task_spec"):
        raise UserError(f"{path}: not the configuration of a multi-task model (no task_spec)")
    return task_spec_from_dict(config["task_spec"], source=str(path))


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise UserError(f"{path}: not a mapping; run the stage that writes it again")
    return data


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({error}); run the stage that writes it again") from error


def _read_history(path: Path) -> tuple[History, History]:
    """Return training and validation statistics; both empty without the file."""
    if not path.exists():
        return {}, {}
    data = _read_json(path)
    try:
        parts = [
            {int(epoch): _numbers(data[epoch].get(part) or {}) for epoch in sorted(data, key=int)}
            for part in ("train", "valid")
        ]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path}: no history of epochs ({error}); train again") from error
    return parts[0], parts[1]


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(v) if isinstance(v, int | float) else math.nan for key, v in values.items()}


def series(history: History, name: str) -> tuple[list[int], list[float]]:
    """Return epochs and finite values of one statistic; both empty where it was never recorded."""
    points = [(epoch, values[name]) for epoch, values in history.items() if math.isfinite(values.get(name, math.nan))]
    return [epoch for epoch, _ in points], [value for _, value in points]


def best_epoch(experiment: Experiment) -> int | None:
    """Return the epoch with the highest score on the validation set; None without any."""
    epochs, values = series(experiment.valid, "score")
    return epochs[max(range(len(values)), key=values.__getitem__)] if epochs else None
