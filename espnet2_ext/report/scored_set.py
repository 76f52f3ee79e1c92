"""One set of an experiment, read for a report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet2_ext.report.experiment import Experiment
from espnet2_ext.report.naming import metric_name
from espnet2_ext.report.score_set import PredictedSet, read_predicted_set

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class ScoredSet:
    """Predictions, labels and score.json of one set.

    Attributes:
        name: Name of the set, e.g. `dev`.
        predicted: Predictions and labels.
        score: Content of score.json.
    """

    name: str
    predicted: PredictedSet
    score: dict[str, Any]

    @property
    def entries(self) -> dict[str, Entry]:
        """Value and interval of every metric and, last, of the score."""
        return entries(self.score)


def entries(score: Mapping[str, Any]) -> dict[str, Entry]:
    """Return value and interval of every metric and, last, of the score, from the content of score.json."""
    return {**score["metrics"], score["score"]["name"]: score["score"]}


def read_scored_set(experiment: Experiment, name: str, dump: Path) -> ScoredSet:
    """Read a set's predictions, labels (from `<dump>/<name>`) and score.

    Raises:
        UserError: A file is missing or bad, or predictions do not fit the labels.
    """
    score = experiment.score(name)
    predicted = read_predicted_set(experiment.predict_dir(name) / "predictions.jsonl", dump / name, experiment.spec)
    return ScoredSet(name, predicted, score)


def metric_titles(experiment: Experiment, sets: list[ScoredSet]) -> dict[str, str]:
    """Return how the metrics of the sets are written, by key."""
    return {key: metric_name(experiment.spec, key) for scored in sets for key in scored.entries}
