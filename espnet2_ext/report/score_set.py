"""Stage 8: everything that is measured about the predictions of one set."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_ext.data.labels import MISSING_CLASS, read_all_labels
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.table import read_table
from espnet2_ext.inference.records import read_records
from espnet2_ext.mtl.metric.confusion import confusion_matrix
from espnet2_ext.mtl.metric.corpus import evaluate, per_dimension
from espnet2_ext.mtl.metric.harmonic_mean import harmonic_mean
from espnet2_ext.mtl.task_spec import Score, TaskSpec
from espnet2_ext.report.bootstrap import LEVEL, fingerprint, interval, resample_speakers

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class PredictedSet:
    """Predictions beside the labels of one set.

    Attributes:
        spec: The tasks.
        utts: N utterance ids, sorted.
        speakers: Speaker of each.
        predictions: By task, (N, n_outputs): values in the task's unit, or class probabilities.
        targets: By task, (N, D) with NaN, or (N,) class numbers with -1, where a label is missing.
    """

    spec: TaskSpec
    utts: list[str]
    speakers: list[str]
    predictions: Arrays
    targets: Arrays

    def rows(self, indices: np.ndarray) -> tuple[Arrays, Arrays]:
        """Return predictions and targets of some utterances, repeats included."""
        return (
            {name: array[indices] for name, array in self.predictions.items()},
            {name: array[indices] for name, array in self.targets.items()},
        )

    def labelled(self, name: str) -> np.ndarray:
        """Return which utterances (N,) have a label of a task, in one dimension at least."""
        target = self.targets[name]
        return target != MISSING_CLASS if target.ndim == 1 else ~np.isnan(target).all(axis=1)


def read_predicted_set(predictions: str | Path, data: str | Path, spec: TaskSpec) -> PredictedSet:
    """Read predictions and the labels of the same utterances.

    Args:
        predictions: `predictions.jsonl`.
        data: Data directory with `utt2spk` and `utt2<task>`.
        spec: The tasks.

    Raises:
        UserError: A file is bad, an utterance of the set has no prediction or the reverse, a label belongs to no
            utterance of the set, or there is no label at all.
    """
    utt2spk = read_table(Path(data) / "utt2spk")
    utts, outputs = read_records(predictions, spec)
    missing, foreign = sorted(set(utt2spk) - set(utts)), sorted(set(utts) - set(utt2spk))
    if missing:
        raise UserError(
            f"{predictions}: no prediction for {_some(missing)} of {data}; run inference (stage 7) on this set again"
        )
    if foreign:
        raise UserError(f"{predictions}: {_some(foreign)} not in {data}/utt2spk; give the set that was predicted")
    for task in spec:
        path = Path(data) / f"utt2{task.name}"
        strange = sorted(set(read_table(path)) - set(utt2spk)) if path.exists() else []
        if strange:
            raise UserError(f"{path}: {_some(strange)} not in utt2spk; run utils/fix_data_dir.sh {data}")
    order = sorted(range(len(utts)), key=utts.__getitem__)
    utts = [utts[i] for i in order]
    targets = read_all_labels(data, spec.tasks, utts)
    found = PredictedSet(
        spec, utts, [utt2spk[u] for u in utts], {name: array[order] for name, array in outputs.items()}, targets
    )
    if not any(found.labelled(name).any() for name in spec.names):
        raise UserError(f"{data}: no label of any task ({', '.join(spec.names)}); leave this set out of scoring")
    return found


def _some(utts: Sequence[str]) -> str:
    return utts[0] if len(utts) == 1 else f"{utts[0]} and {len(utts) - 1} more"


def score_from_metrics(spec: TaskSpec, metrics: Mapping[str, float]) -> float:
    """Return the score of metrics named `<task>_<metric>`: NaN, not 0 as in training, where a term is not defined."""
    terms = []
    for term in spec.score.terms:
        value = metrics[f"{term.task}_{term.metric}"]
        terms.append(1 / max(value, np.finfo(np.float64).tiny) if term.inverse else value)
    return harmonic_mean(terms)


def score_set(predicted: PredictedSet, resamplings: int, seed: int) -> tuple[dict[str, Any], list[str], np.ndarray]:
    """Measure everything.

    Args:
        predicted: Predictions and labels.
        resamplings: Number of resampled sets for intervals; 0 for no intervals.
        seed: Seed of the resampling.

    Returns:
        The content of `score.json` (numbers that are not defined are None); names of the resampled metrics (M), and
        their values (resamplings, M).
    """
    spec = predicted.spec
    values = evaluate(spec, predicted.predictions, predicted.targets)
    names, samples = _bootstrap(predicted, resamplings, seed)
    intervals = {name: interval(samples[:, i]) for i, name in enumerate(names)}
    result = {
        "n_utterances": len(predicted.utts),
        "n_speakers": len(set(predicted.speakers)),
        "labelled": {name: int(predicted.labelled(name).sum()) for name in spec.names},
        "score": {"name": spec.score.name, **_entry(values.pop(spec.score.name), intervals.get(spec.score.name))},
        "metrics": {name: _entry(value, intervals.get(name)) for name, value in values.items()},
        "per_dimension": _plain(per_dimension(spec, predicted.predictions, predicted.targets)),
        "confusion": _confusion(predicted),
        "bootstrap": {
            "resamplings": resamplings,
            "seed": seed,
            "level": LEVEL,
            "unit": "speaker",
            "fingerprint": fingerprint(predicted.utts, predicted.speakers, resamplings, seed),
        },
    }
    return result, names, samples


def _bootstrap(predicted: PredictedSet, resamplings: int, seed: int) -> tuple[list[str], np.ndarray]:
    if not resamplings:
        return [], np.empty((0, 0))
    spec = predicted.spec
    # evaluate() counts an undefined term as 0 and warns, which is right for selecting a model and wrong for intervals.
    without_score = dataclasses.replace(spec, score=Score(spec.score.name, ()))

    def metrics(indices: np.ndarray) -> dict[str, float]:
        found = evaluate(without_score, *predicted.rows(indices))
        return {**found, spec.score.name: score_from_metrics(spec, found)}

    return resample_speakers(metrics, predicted.speakers, resamplings, seed)


def _confusion(predicted: PredictedSet) -> dict[str, Any]:
    """Return classes and counts (row: true class, column: predicted class) by task."""
    return {
        task.name: {
            "classes": list(task.classes),
            "counts": confusion_matrix(
                predicted.predictions[task.name], predicted.targets[task.name], len(task.classes)
            ).tolist(),
        }
        for task in predicted.spec
        if task.is_classification
    }


def _entry(value: float, bounds: tuple[float, float] | None) -> dict[str, Any]:
    return {"value": _plain(value), "interval": None if bounds is None else list(bounds)}


def _plain(value: Any) -> Any:
    """Return the same with None for NaN, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
