"""`conf/tasks.yaml`: the one description of the tasks.

Heads, losses, metrics, scoring, plots and packing read it from here; nothing else names a task, a class or a dimension.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task import CLASSIFICATION, LEARNT, METRICS, NAME, REGRESSION, Task, is_exit, parse_task

__all__ = [
    "CLASSIFICATION", "LEARNT", "LOWER_IS_BETTER", "REGRESSION", "Score", "ScoreTerm", "Task", "TaskSpec",
    "load_task_spec", "task_spec_from_dict",
]  # fmt: skip

# Metrics where less is better; a score takes their inverse.
LOWER_IS_BETTER = ("mae",)


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

        The score keeps the terms whose tasks remain, and its name if all do; else it is called `score`, since it cannot
        be compared with the whole one. With no term left it is of the tasks' own metrics.

        Raises:
            UserError: A name is unknown, or none is given.
        """
        unknown = [name for name in names if name not in self.names]
        if unknown or not names:
            raise UserError(f"tasks {unknown or list(names)}: choose among {', '.join(self.names)}")
        tasks = tuple(task for task in self.tasks if task.name in names)
        terms = tuple(term for term in self.score.terms if term.task in names)
        name = self.score.name if terms == self.score.terms else "score"
        return TaskSpec(tasks, Score(name, terms or _default_terms(tasks)))

    def with_exits(self, exits: Mapping[str, int | str | None]) -> "TaskSpec":
        """Return the spec with other exits for some tasks; None is the last one.

        Raises:
            UserError: A task is unknown, or an exit is no positive whole number, `learnt` or None.
        """
        for name, number in exits.items():
            if name not in self.names or not (number is None or is_exit(number)):
                tasks = ", ".join(self.names)
                raise UserError(
                    f"exits: {name}: {number}: give a task of {tasks} and a number from 1, {LEARNT} or null"
                )
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
    except (yaml.YAMLError, ValueError) as error:
        # ValueError: what looks like a date and is none.
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
        raise UserError(f"{source}: unknown key {min(map(str, unknown))!r}; known are tasks, score")
    tasks = tuple(parse_task(item, source) for item in data["tasks"])
    names = [task.name for task in tasks]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise UserError(f"{source}: task {repeated[0]!r} stands twice")
    return TaskSpec(tasks, _parse_score(data.get("score"), tasks, source))


def _default_terms(tasks: Sequence[Task]) -> tuple[ScoreTerm, ...]:
    return tuple(ScoreTerm(task.name, task.metric, task.metric in LOWER_IS_BETTER) for task in tasks)


def _parse_score(data: Any, tasks: Sequence[Task], source: str) -> Score:
    if data is None:
        return Score("score", _default_terms(tasks))
    if not isinstance(data, dict) or set(data) - {"name", "terms", "combine"} or not data.get("terms"):
        raise UserError(f"{source}: score has name, combine and terms: {data!r}")
    name = _score_name(data.get("name", "score"), tasks, source)
    if not isinstance(data["terms"], list):
        raise UserError(f"{source}: score: terms is a list, not {data['terms']!r}")
    if data.get("combine", "harmonic_mean") != "harmonic_mean":
        raise UserError(f"{source}: score: combine is harmonic_mean, not {data['combine']!r}")
    types = {task.name: task.type for task in tasks}
    return Score(name, tuple(_parse_term(term, types, f"{source}: score") for term in data["terms"]))


def _parse_term(term: Any, types: Mapping[str, str], where: str) -> ScoreTerm:
    task = term.get("task") if isinstance(term, dict) else None
    if not isinstance(task, str) or task not in types or set(term) - {"task", "metric", "transform"}:
        raise UserError(f"{where}: a term has task (one of {', '.join(types)}), metric, transform: {term!r}")
    metric = term.get("metric")
    if metric not in METRICS[types[task]]:
        raise UserError(f"{where}: {task} has no metric {metric!r}; it has {', '.join(METRICS[types[task]])}")
    if term.get("transform") not in (None, "inverse"):
        raise UserError(f"{where}: transform is inverse, not {term['transform']!r}")
    inverse = term.get("transform") == "inverse"
    if inverse != (metric in LOWER_IS_BETTER):
        raise UserError(f"{where}: higher must be better: {metric} {'takes no' if inverse else 'needs'} inverse")
    return ScoreTerm(task, metric, inverse)


def _score_name(name: Any, tasks: Sequence[Task], source: str) -> str:
    """The name stands among the validation values of an epoch and in file names."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UserError(f"{source}: score: a name is letters, digits and _, and starts with a letter, not {name!r}")
    metrics = {f"{task.name}_{metric}" for task in tasks for metric in METRICS[task.type]}
    if name in {"time", "total_count"} | metrics | {f"loss_{task.name}" for task in tasks}:
        raise UserError(f"{source}: score: the name {name!r} is taken; choose another")
    return name
