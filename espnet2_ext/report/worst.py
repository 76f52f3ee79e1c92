"""The utterances that a model gets most wrong."""

from dataclasses import dataclass

import numpy as np

from espnet2_ext.mtl.task_spec import Task
from espnet2_ext.report.score_set import PredictedSet

# Dimensions that are named for one utterance.
_SHOWN = 3


@dataclass(frozen=True)
class WorstUtterance:
    """One utterance: who said it, and what is wrong, in words."""

    utt: str
    speaker: str
    text: str


def worst_utterances(predicted: PredictedSet, task: Task, count: int) -> list[WorstUtterance]:
    """Return the labelled utterances that are furthest from their label, the worst first.

    Regression ranks by the mean absolute error over the labelled dimensions, classification by the probability of the
    true class (the lowest first), and names wrongly classified utterances only.
    """
    rows = np.flatnonzero(predicted.labelled(task.name))
    target, prediction = predicted.targets[task.name], predicted.predictions[task.name].astype(np.float64)
    if task.is_classification:
        rows = rows[prediction[rows].argmax(axis=1) != target[rows]]
        badness = 1 - prediction[rows, target[rows]]
    else:
        badness = np.nanmean(np.abs(prediction[rows] - target[rows]), axis=1)
    describe = _class_text if task.is_classification else _value_text
    return [
        WorstUtterance(predicted.utts[i], predicted.speakers[i], describe(task, target[i], prediction[i]))
        for i in rows[np.argsort(-badness, kind="stable")[:count]]
    ]


def _class_text(task: Task, target: int, probabilities: np.ndarray) -> str:
    guess = int(probabilities.argmax())
    return (
        f"true {task.classes[target]} (probability {probabilities[target]:.2f}), "
        f"predicted {task.classes[guess]} ({probabilities[guess]:.2f})"
    )


def _value_text(task: Task, target: np.ndarray, prediction: np.ndarray) -> str:
    error = np.abs(prediction - target)
    order = [d for d in np.argsort(-error, kind="stable") if np.isfinite(error[d])][:_SHOWN]
    unit = f" {task.unit}" if task.unit else ""
    if task.n_outputs == 1:
        return f"true {target[0]:.2f}, predicted {prediction[0]:.2f}{unit}"
    parts = [f"{task.dimensions[d]}: true {target[d]:.2f}, predicted {prediction[d]:.2f}" for d in order]
    return f"{'; '.join(parts)}; mean error {np.nanmean(error):.2f}{unit}"
