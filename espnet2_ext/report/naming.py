"""How tasks and metrics are called where people read them."""

from collections.abc import Mapping, Sequence
from typing import Any

from espnet2_ext.mtl.metric.corpus import CLASSIFICATION_METRICS, REGRESSION_METRICS
from espnet2_ext.mtl.task_spec import LOWER_IS_BETTER, TaskSpec

_METRICS = {
    "ccc": "CCC",
    "pearson": "Pearson",
    "mae": "MAE",
    "uar": "UAR",
    "wa": "WA",
    "macro_f1": "macro F1",
    "recall": "recall",
    "f1": "F1",
}


def metric_label(metric: str, unit: str = "") -> str:
    """Return e.g. `CCC`, or `MAE (years)`; a correlation has no unit."""
    name = _METRICS.get(metric, metric)
    return f"{name} ({unit})" if metric == "mae" and unit else name


def split_key(spec: TaskSpec, key: str) -> tuple[str, str] | None:
    """Split `<task>_<metric>` into both; None for the score."""
    for task in spec:
        metric = key.removeprefix(f"{task.name}_")
        if metric != key and metric in _METRICS:
            return task.name, metric
    return None


def metric_name(spec: TaskSpec, key: str) -> str:
    """Return e.g. `emotion CCC`, `age MAE (years)`, or the score's name as people write it."""
    parts = split_key(spec, key)
    if parts is None:
        return score_name(spec) if key == spec.score.name else key
    return f"{parts[0].replace('_', ' ')} {metric_label(parts[1], spec[parts[0]].unit)}"


def score_name(spec: TaskSpec) -> str:
    """Return the score's name: `S_MTL` for `s_mtl`, others with their underscores as blanks."""
    name = spec.score.name
    return name.upper() if name.lower().startswith("s_") else name.replace("_", " ")


def lower_is_better(spec: TaskSpec, key: str) -> bool:
    """Whether less of a metric is better."""
    parts = split_key(spec, key)
    return parts is not None and parts[1] in LOWER_IS_BETTER


def main_keys(spec: TaskSpec, further: Sequence[str] = ()) -> list[str]:
    """Return the keys for short tables: each task's terms of the score, or else its own metric; then the score.

    After a task's come its `further` metrics, of those that its type has. The score of a single task that is its metric
    itself is left out.
    """
    keys = []
    for task in spec:
        terms = [f"{term.task}_{term.metric}" for term in spec.score.terms if term.task == task.name]
        keys += terms or [f"{task.name}_{task.metric}"]
        known = CLASSIFICATION_METRICS if task.is_classification else REGRESSION_METRICS
        keys += [f"{task.name}_{metric}" for metric in further if metric in known]
    same = len(spec) == len(spec.score.terms) == 1 and not spec.score.terms[0].inverse
    return list(dict.fromkeys(keys)) if same else [*dict.fromkeys(keys), spec.score.name]


def size_of(score: Mapping[str, Any]) -> str:
    """Return how large the set of a `score.json` is: `120 utterances of 10 speakers`."""
    numbers = [(score["n_utterances"], "utterance"), (score["n_speakers"], "speaker")]
    return " of ".join(f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in numbers)


def resampled(resamplings: int | str, n_speakers: int) -> str:
    """Return what intervals come from; of a single speaker, only the utterances are drawn."""
    if n_speakers == 1:
        return f"{resamplings} resamplings of the utterances of one speaker, so nothing is said about others"
    return f"{resamplings} resamplings of the speakers"
