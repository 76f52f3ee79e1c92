"""A table of systems: each row one system over several seeds, or models of single tasks put together."""

import dataclasses
import glob
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_spec import Score, TaskSpec
from espnet2_ext.report.bootstrap import interval, read_samples
from espnet2_ext.report.experiment import Experiment, check_alike, read_experiment
from espnet2_ext.report.naming import main_keys, size_of
from espnet2_ext.report.score_set import score_from_metrics


@dataclass(frozen=True)
class Cell:
    """One number of a row: mean and deviation over seeds, and an interval for the mean.

    Attributes:
        mean: Mean over seeds; None without a value.
        deviation: Sample standard deviation over seeds (n - 1); None for one seed.
        interval: From resampled speakers; None where bootstraps are missing or cannot be paired.
    """

    mean: float | None
    deviation: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Scoring:
    """What a model was scored on.

    Attributes:
        size: Utterances and speakers, in words.
        draws: Number of resampled sets, and their seed.
        fingerprint: Of the utterances, their speakers and the draws.
    """

    size: str
    draws: tuple[int, int]
    fingerprint: str

    def differs(self, other: "Scoring") -> bool:
        """Whether the utterances are known to be others; not known for as many ones that were drawn otherwise."""
        drawn_alike = self.draws == other.draws and self.fingerprint and other.fingerprint
        return self.size != other.size or bool(drawn_alike and self.fingerprint != other.fingerprint)


@dataclass(frozen=True)
class Row:
    """One system.

    Attributes:
        name: Its name.
        seeds: Seeds of its models.
        cells: By key (`<task>_<metric>` or the score's name), in the order of a table's columns.
        samples: By key, the resampled means over seeds (R,); empty without bootstraps.
        fingerprint: What the resampled sets are drawn from.
        n_parameters: Parameters of the models of one seed together, the most of any seed; None if unknown.
        best: Whether the table's set selects this row.
        scorings: What its models were scored on, each once.
    """

    name: str
    seeds: tuple[int, ...]
    cells: dict[str, Cell]
    samples: dict[str, np.ndarray]
    fingerprint: str
    n_parameters: int | None
    best: bool = False
    scorings: tuple[Scoring, ...] = ()


@dataclass(frozen=True)
class _Run:
    """One seed of a system: values by key, resampled values where there are, and what they are of."""

    values: dict[str, float]
    samples: dict[str, np.ndarray]
    fingerprint: str
    scorings: tuple[Scoring, ...]


def parse_rows(text: str) -> dict[str, list[Path]]:
    """Read `NAME=GLOB NAME=GLOB ...`; a name that comes again adds to its row.

    Raises:
        UserError: A part is not of this form, or matches no directory.
    """
    rows: dict[str, list[Path]] = {}
    for part in text.split():
        name, equals, pattern = part.partition("=")
        if not (name and equals and pattern):
            raise UserError(f"--rows: {part!r} is not NAME=DIRECTORIES, such as EW=exp/train_equal_seed*")
        found = [Path(path) for path in sorted(glob.glob(pattern)) if Path(path, "config.yaml").is_file()]
        if not found:
            raise UserError(f"--rows: {part}: no experiment matches; train it or mend the pattern")
        rows.setdefault(name, []).extend(path for path in found if path not in rows.get(name, []))
    if not rows:
        raise UserError("--rows: names no row; give NAME=DIRECTORIES")
    return rows


def read_grid(rows: dict[str, list[Path]], set_name: str, further: Sequence[str] = ()) -> tuple[TaskSpec, list[Row]]:
    """Read all rows, with `further` metrics besides those of the score.

    Returns:
        The tasks of the table, with the score over all of them; the rows in order.

    Raises:
        UserError: A score is missing, a row has two models of one task for one seed or lacks a task of a seed, or a
            task has other outputs in one experiment than in another.
    """
    experiments = {name: [read_experiment(path) for path in paths] for name, paths in rows.items()}
    check_alike([experiment for row in experiments.values() for experiment in row])
    spec = whole_spec([e.spec for row in experiments.values() for e in row])
    return spec, [_read_row(name, found, spec, set_name, further) for name, found in experiments.items()]


def best_first(spec: TaskSpec, rows: Sequence[Row]) -> list[Row]:
    """Sort rows by their mean score, those without one last, and mark the first."""
    means = {row.name: row.cells[spec.score.name].mean for row in rows}
    known = sorted((row for row in rows if means[row.name] is not None), key=lambda row: -(means[row.name] or 0.0))
    best = [dataclasses.replace(row, best=True) for row in known[:1]]
    return [*best, *known[1:], *(row for row in rows if means[row.name] is None)]


def in_order_of(selected: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Return the rows of another set in the order of those that a set has selected among, the same row marked."""
    by_name = {row.name: row for row in rows}
    return [dataclasses.replace(by_name[row.name], best=row.best) for row in selected]


def whole_spec(specs: Sequence[TaskSpec]) -> TaskSpec:
    """Return the tasks of all experiments together, in the order of the largest."""
    largest = max(specs, key=len)
    tasks = {task.name: task for spec in (largest, *specs) for task in spec}
    if set(tasks) == set(largest.names):
        return largest
    terms = dict.fromkeys(term for spec in (largest, *specs) for term in spec.score.terms)
    return TaskSpec(tuple(tasks.values()), Score(largest.score.name, tuple(terms)))


def _read_row(name: str, experiments: list[Experiment], spec: TaskSpec, set_name: str, further: Sequence[str]) -> Row:
    by_seed: dict[int, list[Experiment]] = {}
    for experiment in experiments:
        by_seed.setdefault(_seed(experiment), []).append(experiment)
    runs = [_read_run(name, seed, found, spec, set_name) for seed, found in sorted(by_seed.items())]
    marks = {run.fingerprint for run in runs}
    paired = len(marks) == 1 and marks != {""}
    cells, samples = {}, {}
    for key in main_keys(spec, further):
        values = np.array([run.values.get(key, math.nan) for run in runs])
        known = not np.isnan(values).any()
        if paired and known and all(key in run.samples for run in runs):
            samples[key] = np.mean([run.samples[key] for run in runs], axis=0)
        cells[key] = Cell(
            float(values.mean()) if known else None,
            float(values.std(ddof=1)) if known and len(values) > 1 else None,
            interval(samples[key]) if key in samples else None,
        )
    mark = marks.pop() if paired else ""
    scorings = tuple(dict.fromkeys(scoring for run in runs for scoring in run.scorings))
    parameters = _most_parameters(by_seed.values())
    return Row(name, tuple(sorted(by_seed)), cells, samples, mark, parameters, scorings=scorings)


def _most_parameters(seeds: Iterable[list[Experiment]]) -> int | None:
    counts = [[experiment.env.get("n_parameters") for experiment in models] for models in seeds]
    if not all(isinstance(count, int) for models in counts for count in models):
        return None
    return max(sum(models) for models in counts)


def _seed(experiment: Experiment) -> int:
    seed = experiment.config.get("seed")
    if not isinstance(seed, int):
        raise UserError(f"{experiment.path}/config.yaml: has no seed; train it with --seed")
    return seed


def _read_run(name: str, seed: int, experiments: list[Experiment], spec: TaskSpec, set_name: str) -> _Run:
    """Put the models of one seed together: one with all tasks, or several with some each."""
    tasks = [task for experiment in experiments for task in experiment.spec.names]
    doubled = next((task for task in tasks if tasks.count(task) > 1), None)
    if doubled:
        paths = ", ".join(str(e.path) for e in experiments if doubled in e.spec.names)
        raise UserError(f"row {name}: seed {seed}: several models of task {doubled} ({paths}); narrow the pattern")
    # A task outside the score may be left out of a row: its cell stays empty.
    missing = [term.task for term in spec.score.terms if term.task not in tasks]
    if missing:
        raise UserError(f"row {name}: seed {seed}: no model of task {missing[0]}; train it, or widen the pattern")
    values: dict[str, float] = {}
    samples: dict[str, np.ndarray] = {}
    marks = set()
    scorings = []
    for experiment in experiments:
        score = experiment.score(set_name)
        scorings.append(_scoring(score))
        values |= {key: _number(entry["value"]) for key, entry in score["metrics"].items()}
        found, mark = _samples(experiment.predict_dir(set_name), score)
        samples |= {key: value for key, value in found.items() if key in score["metrics"]}
        marks.add(mark)
    paired = len(marks) == 1 and marks != {""}
    values[spec.score.name] = score_from_metrics(spec, values)
    if paired:
        samples[spec.score.name] = _resampled_score(spec, samples)
    return _Run(values, samples if paired else {}, marks.pop() if paired else "", tuple(scorings))


def _scoring(score: dict[str, Any]) -> Scoring:
    bootstrap = score.get("bootstrap") or {}
    draws = (bootstrap.get("resamplings", 0), bootstrap.get("seed", 0))
    return Scoring(size_of(score), draws, bootstrap.get("fingerprint", ""))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _samples(directory: Path, score: dict[str, Any]) -> tuple[dict[str, np.ndarray], str]:
    """Return the bootstrap that belongs to a score; nothing where it was scored without one."""
    bootstrap = score.get("bootstrap") or {}
    path = directory / "bootstrap.npz"
    if not bootstrap.get("resamplings") or not path.exists():
        return {}, ""
    found, mark = read_samples(path)
    if mark != bootstrap.get("fingerprint"):
        raise UserError(f"{path}: of another scoring than score.json; run scoring (stage 8) again")
    return found, mark


def _resampled_score(spec: TaskSpec, samples: dict[str, np.ndarray]) -> np.ndarray:
    keys = [f"{term.task}_{term.metric}" for term in spec.score.terms]
    columns = [samples[key] for key in keys]
    return np.array([score_from_metrics(spec, dict(zip(keys, row, strict=True))) for row in zip(*columns, strict=True)])
