"""`predictions.jsonl`: what a model says about every utterance, by names."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.mtl.task_spec import Task, TaskSpec

_LARGEST = float(np.finfo(np.float32).max)


def make_record(spec: TaskSpec, utt: str, outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return one utterance's predictions as plain data.

    Args:
        spec: The tasks.
        utt: Utterance id.
        outputs: By task name, a (n_outputs,) row: values in the task's unit, or class probabilities.

    Raises:
        UserError: A prediction is NaN or infinite.
    """
    record: dict[str, Any] = {"utt": utt}
    for task in spec:
        row = np.asarray(outputs[task.name], dtype=np.float32)
        if row.shape != (task.n_outputs,):
            raise ValueError(f"{task.name}: shape {row.shape}, not ({task.n_outputs},)")
        if not np.isfinite(row).all():
            raise UserError(f"{utt}: the prediction of {task.name} is not finite; the model has diverged, train again")
        # str() gives the fewest digits that read back as the same float32; float() of them prints the same digits.
        values = dict(zip(task.labels, (float(str(value)) for value in row), strict=True))
        if task.is_classification:
            record[task.name] = {"class": task.classes[int(row.argmax())], "probabilities": values}
        else:
            record[task.name] = values
    return record


def write_records(
    path: str | os.PathLike[str], spec: TaskSpec, utts: Sequence[str], predictions: Mapping[str, np.ndarray]
) -> None:
    """Write predictions in the byte order of the utterance ids, complete or not at all.

    Args:
        path: The file, one JSON object a line.
        spec: The tasks.
        utts: N utterance ids.
        predictions: By task name, (N, n_outputs): values in the task's unit, or class probabilities.

    Raises:
        UserError: A prediction is not finite, an utterance comes twice, or the disk is full.
    """
    if len(set(utts)) != len(utts):
        raise UserError(f"{path}: an utterance was predicted twice; predict each once")
    arrays = {task.name: np.asarray(predictions[task.name], dtype=np.float32) for task in spec}
    for name, array in arrays.items():
        if len(array) != len(utts):
            raise ValueError(f"{name}: {len(array)} rows for {len(utts)} utterances")
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for i in sorted(range(len(utts)), key=utts.__getitem__):
            record = make_record(spec, utts[i], {name: array[i] for name, array in arrays.items()})
            file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


def read_records(path: str | os.PathLike[str], spec: TaskSpec) -> tuple[list[str], dict[str, np.ndarray]]:
    """Read predictions strictly; entries that are no task of `spec` are left out.

    Returns:
        N utterance ids in the order of the file, and by task name (N, n_outputs) float32: values in the task's unit,
        or class probabilities.

    Raises:
        UserError: The file is missing, empty or torn, an utterance comes twice, a task, dimension or class is missing
            or unknown, or a value is not a finite number.
    """
    utts: list[str] = []
    rows: dict[str, list[list[float]]] = {task.name: [] for task in spec}
    for number, line in enumerate(_lines(path), 1):
        where = f"{path}:{number}"
        record = _parse(line, where)
        utts.append(record["utt"])
        for task in spec:
            rows[task.name].append(_values(record, task, where))
    repeated = [utt for utt, count in Counter(utts).items() if count > 1]
    if repeated:
        raise UserError(f"{path}: utterance {repeated[0]} occurs twice; run inference again")
    return utts, {name: np.asarray(values, dtype=np.float32) for name, values in rows.items()}


def _lines(path: str | os.PathLike[str]) -> list[str]:
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); run inference (stage 7) first") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; run inference again") from error
    if not text.endswith("\n"):
        raise UserError(f"{path}: empty or cut off; run inference again")
    return text[:-1].split("\n")


def _parse(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON ({error}); run inference again") from error
    if not isinstance(record, dict) or not isinstance(record.get("utt"), str) or not record["utt"]:
        raise UserError(f"{where}: no utterance id under 'utt'; run inference again")
    return record


def _values(record: dict[str, Any], task: Task, where: str) -> list[float]:
    """Return a task's numbers in the order of its labels."""
    where = f"{where}: {record['utt']}: {task.name}"
    values = record.get(task.name)
    if values is None:
        raise UserError(f"{where}: no prediction; the model was trained on other tasks: give its own config.yaml")
    if task.is_classification and isinstance(values, dict):
        values = values.get("probabilities")
    if not isinstance(values, dict) or set(values) != set(task.labels):
        raise UserError(f"{where}: names are not those of the task ({', '.join(task.labels[:4])}, ...); predict again")
    row = [values[label] for label in task.labels]
    if not all(isinstance(value, float) and abs(value) <= _LARGEST for value in row):
        raise UserError(f"{where}: a value is not a finite number; run inference again")
    return row
