"""`conf/tasks.yaml`: the one description of the tasks.

Heads, losses, metrics, scoring, plots and packing read it from here; nothing else names a task, a class or a dimension.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext.errors import UserError

REGRESSION = "regression"
CLASSIFICATION = "classification"
# Files utt2<name> that Kaldi directories have anyway, inputs of the model, and keys of prediction records.
RESERVED = ("spk", "dur", "num_frames", "shape", "lang", "feats", "feats_lengths", "utt", "notes", "score")
# A task's loss and metric when tasks.yaml names none.
_DEFAULTS = {REGRESSION: ("ccc", "ccc"), CLASSIFICATION: ("cross_entropy", "uar")}
_METRICS = {REGRESSION: ("ccc", "pearson", "mae"), CLASSIFICATION: ("uar", "wa", "macro_f1")}
_LOSSES = {REGRESSION: ("ccc", "mse", "l1"), CLASSIFICATION: ("cross_entropy",)}
# Metrics where less is better; a score takes their inverse.
LOWER_IS_BETTER = ("mae",)


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: The task's name; its label file is `utt2<name>`.
        type: `regression` or `classification`.
        dimensions: Names of the regression targets, in the order of the label file.
        classes: Names of the classes; a class's index is its place here.
        loss: Name in `espnet2_ext.mtl.loss.LOSSES`.
        loss_conf: Options of the loss.
        metric: The metric that stands for the task in tables.
        activation: `sigmoid` (targets in [0, 1]) or `linear`.
        normalise: Whether targets are standardised by the training set's mean and deviation for the loss. Predictions
            are always reported in `unit`.
        unit: Unit of the targets, e.g. `years`; empty for none.
        range: Smallest and largest permitted label, or None.
        exit: Number of the encoder's exit (from 1) that the task leaves at; None is the last one.
    """

    name: str
    type: str
    dimensions: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    loss: str = ""
    loss_conf: Mapping[str, Any] = field(default_factory=dict)
    metric: str = ""
    activation: str = "linear"
    normalise: bool = False
    unit: str = ""
    range: tuple[float, float] | None = None
    exit: int | None = None

    @property
    def is_classification(self) -> bool:
        """Whether the targets are classes."""
        return self.type == CLASSIFICATION

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs: classes or dimensions."""
        return self.classes if self.is_classification else self.dimensions

    @property
    def n_outputs(self) -> int:
        """Number of outputs of the task's head."""
        return len(self.labels)

    @property
    def n_targets(self) -> int:
        """Number of label columns: 1 class index, or the dimensions."""
        return 1 if self.is_classification else len(self.dimensions)


@dataclass(frozen=True)
class ScoreTerm:
    """One term of a score: a task's metric, inverted where less is better."""

    task: str
    metric: str
    inverse: bool = False


@dataclass(frozen=True)
class Score:
    """The number that selects models: the harmonic mean of its terms, higher is better."""

    name: str
    terms: tuple[ScoreTerm, ...]


@dataclass(frozen=True)
class TaskSpec:
    """All tasks of a corpus, in order, and the score that selects models."""

    tasks: tuple[Task, ...]
    score: Score

    @property
    def names(self) -> tuple[str, ...]:
        """Task names in order."""
        return tuple(task.name for task in self.tasks)

    def __getitem__(self, name: str) -> Task:
        """Return the task called `name`.

        Raises:
            KeyError: There is none.
        """
        for task in self.tasks:
            if task.name == name:
                return task
        raise KeyError(name)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def subset(self, names: Sequence[str]) -> "TaskSpec":
        """Return the spec of some tasks only (single-task training is a subset of one).

        The score keeps the terms whose tasks remain; with none left it becomes the mean of the tasks' own metrics.

        Raises:
            UserError: A name is unknown, or none is given.
        """
        unknown = [name for name in names if name not in self.names]
        if unknown or not names:
            raise UserError(f"tasks {unknown or list(names)}: choose among {', '.join(self.names)}")
        tasks = tuple(task for task in self.tasks if task.name in names)
        terms = tuple(term for term in self.score.terms if term.task in names)
        return TaskSpec(tasks, Score(self.score.name, terms or _default_terms(tasks)))

    def with_exits(self, exits: Mapping[str, int]) -> "TaskSpec":
        """Return the spec with other exits for some tasks.

        Raises:
            UserError: A task is unknown or an exit is not a positive whole number.
        """
        for name, number in exits.items():
            if name not in self.names or not isinstance(number, int) or number < 1:
                raise UserError(f"exits: {name}: {number}: give a task of {', '.join(self.names)} and a number from 1")
        tasks = tuple(dataclasses.replace(task, exit=exits.get(task.name, task.exit)) for task in self.tasks)
        return dataclasses.replace(self, tasks=tasks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that `task_spec_from_dict` reads back."""
        tasks = []
        for task in self.tasks:
            item = {k: v for k, v in dataclasses.asdict(task).items() if v not in ((), None, {}, "")}
            tasks.append({k: list(v) if isinstance(v, tuple) else v for k, v in item.items()})
        terms = [
            {"task": t.task, "metric": t.metric} | ({"transform": "inverse"} if t.inverse else {})
            for t in self.score.terms
        ]
        return {
            "tasks": tasks,
            "score": {"name": self.score.name, "combine": "harmonic_mean", "terms": terms},
        }


def load_task_spec(path: str | Path) -> TaskSpec:
    """Read `conf/tasks.yaml`.

    Raises:
        UserError: The file is missing, is not yaml (tags are refused), or describes something impossible.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not plain yaml: {' '.join(str(error).split())}") from error
    return task_spec_from_dict(data, source=str(path))


def task_spec_from_dict(data: Any, source: str = "tasks") -> TaskSpec:
    """Build a TaskSpec from the plain data of tasks.yaml; `source` is named in errors.

    Raises:
        UserError: As `load_task_spec`.
    """
    if not isinstance(data, dict) or not isinstance(data.get("tasks"), list) or not data["tasks"]:
        raise UserError(f"{source}: needs a list `tasks` with at least one task")
    unknown = set(data) - {"tasks", "score"}
    if unknown:
        raise UserError(f"{source}: unknown key {sorted(unknown)[0]!r}; known are tasks, score")
    tasks = tuple(_parse_task(item, source) for item in data["tasks"])
    names = [task.name for task in tasks]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise UserError(f"{source}: task {repeated[0]!r} stands twice")
    return TaskSpec(tasks, _parse_score(data.get("score"), tasks, source))


def _parse_task(item: Any, source: str) -> Task:
    if not isinstance(item, dict) or "name" not in item or "type" not in item:
        raise UserError(f"{source}: every task needs `name` and `type`: {item!r}")
    where = f"{source}: task {item['name']!r}"
    known = {f.name for f in dataclasses.fields(Task)}
    unknown = set(item) - known
    if unknown:
        raise UserError(f"{where}: unknown key {sorted(unknown)[0]!r}; known are {', '.join(sorted(known))}")
    item = dict(item)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", str(item["name"])):
        raise UserError(f"{where}: a name is letters, digits and _, and starts with a letter")
    if item["name"] in RESERVED:
        raise UserError(f"{where}: the name is reserved; choose another than {', '.join(RESERVED)}")
    if item["type"] not in (REGRESSION, CLASSIFICATION):
        raise UserError(f"{where}: type is {REGRESSION} or {CLASSIFICATION}, not {item['type']!r}")
    loss, metric = _DEFAULTS[item["type"]]
    item["loss"], item["metric"] = item.get("loss", loss), item.get("metric", metric)
    for key in ("dimensions", "classes"):
        item[key] = _names(item.get(key, ()), f"{where}: {key}")
    if item.get("range") is not None:
        item["range"] = _range(item["range"], where)
    task = Task(**item)
    _check_task(task, where)
    return task


def _names(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise UserError(f"{where}: give a list, not {value!r}")
    names = tuple(str(name) for name in value)
    bad = [name for name in names if not name or name.split() != [name]]
    if bad or len(set(names)) != len(names):
        raise UserError(f"{where}: names are unique and hold no white space: {bad or list(names)}")
    return names


def _range(value: Any, where: str) -> tuple[float, float]:
    try:
        low, high = (float(v) for v in value)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: range is [lowest, highest], not {value!r}") from error
    if not low < high:
        raise UserError(f"{where}: range [{low}, {high}] is empty")
    return low, high


def _check_task(task: Task, where: str) -> None:
    if task.is_classification and (len(task.classes) < 2 or task.dimensions):
        raise UserError(f"{where}: a classification has `classes`, two or more, and no `dimensions`")
    if task.is_classification and (task.normalise or task.range or task.activation != "linear"):
        raise UserError(f"{where}: activation, normalise and range are for regression")
    if not task.is_classification and (not task.dimensions or task.classes):
        raise UserError(f"{where}: a regression has `dimensions`, one or more, and no `classes`")
    if task.activation not in ("linear", "sigmoid"):
        raise UserError(f"{where}: activation is linear or sigmoid, not {task.activation!r}")
    if task.activation == "sigmoid" and task.normalise:
        raise UserError(f"{where}: a sigmoid cannot reach standardised targets; drop normalise or the sigmoid")
    if task.loss not in _LOSSES[task.type]:
        raise UserError(f"{where}: loss of a {task.type} is one of {', '.join(_LOSSES[task.type])}, not {task.loss!r}")
    if task.metric not in _METRICS[task.type]:
        raise UserError(f"{where}: metric is one of {', '.join(_METRICS[task.type])}, not {task.metric!r}")
    if task.exit is not None and (not isinstance(task.exit, int) or task.exit < 1):
        raise UserError(f"{where}: exit is a number from 1, not {task.exit!r}")
    if not isinstance(task.loss_conf, dict) or not isinstance(task.normalise, bool):
        raise UserError(f"{where}: loss_conf is a mapping and normalise is true or false")


def _default_terms(tasks: Sequence[Task]) -> tuple[ScoreTerm, ...]:
    return tuple(ScoreTerm(task.name, task.metric, task.metric in LOWER_IS_BETTER) for task in tasks)


def _parse_score(data: Any, tasks: Sequence[Task], source: str) -> Score:
    if data is None:
        return Score("score", _default_terms(tasks))
    types = {task.name: task.type for task in tasks}
    if not isinstance(data, dict) or set(data) - {"name", "terms", "combine"} or not data.get("terms"):
        raise UserError(f"{source}: score has name, combine and terms: {data!r}")
    if data.get("combine", "harmonic_mean") != "harmonic_mean":
        raise UserError(f"{source}: score: combine is harmonic_mean, not {data['combine']!r}")
    terms = []
    for term in data["terms"]:
        if not isinstance(term, dict) or set(term) - {"task", "metric", "transform"} or term.get("task") not in types:
            raise UserError(
                f"{source}: score: a term has task (one of {', '.join(types)}), metric, transform: {term!r}"
            )
        metric = term.get("metric")
        if metric not in _METRICS[types[term["task"]]]:
            raise UserError(f"{source}: score: {term['task']} has no metric {metric!r}")
        if term.get("transform") not in (None, "inverse"):
            raise UserError(f"{source}: score: transform is inverse, not {term['transform']!r}")
        inverse = term.get("transform") == "inverse"
        if inverse != (metric in LOWER_IS_BETTER):
            raise UserError(
                f"{source}: score: higher must be better: {metric} {'takes no' if inverse else 'needs'} inverse"
            )
        terms.append(ScoreTerm(term["task"], metric, inverse))
    return Score(str(data.get("name", "score")), tuple(terms))
