"""Check tasks.yaml against the data, before anything is trained (stage 4)."""

import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from espnet2_ext.data.labels import read_labels
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.fileio.table import read_table
from espnet2_ext.mtl.task_spec import Task, TaskSpec


def check_tasks(
    spec: TaskSpec,
    train: Path,
    others: Sequence[Path],
    allow_speaker_overlap: bool = False,
    allow_empty_classes: bool = False,
) -> dict[str, Any]:
    """Read all labels of all sets, and refuse what training could not use.

    Args:
        spec: The tasks.
        train: Directory of the training set, with feats.scp, utt2spk and the label files.
        others: Directories of the other sets.
        allow_speaker_overlap: Whether a speaker may be in two sets (a split that is known to leak).
        allow_empty_classes: Whether a class may be without a label in the training set (a fold that a rare class is
            not in): a warning tells.

    Returns:
        Statistics of the training set by task: `labelled` (utterances); regression: `mean` and `std` by dimension, in
        the task's unit; classification: `counts` by class.

    Raises:
        UserError: A set is empty, a label is impossible, a task or one of its dimensions or classes has no label in the
            training set, or a speaker is in two sets.
    """
    stats = {}
    for directory in (train, *others):
        utts = list(read_table(directory / "feats.scp"))
        if not utts:
            raise UserError(f"{directory}/feats.scp: no utterance; run stages 1 to 3 again")
        for task in spec:
            path = directory / f"utt2{task.name}"
            found = _task_stats(task, read_labels(path, task, utts))
            logging.info(f"{directory}: {task.name}: {found['labelled']} of {len(utts)} utterances have a label")
            if directory == train:
                _check_train(task, found, path, allow_empty_classes)
                stats[task.name] = found
    if not allow_speaker_overlap:
        _check_speakers([train, *others])
    return stats


def write_task_stats(stats: Mapping[str, Any], path: Path) -> None:
    """Write the statistics as yaml."""
    with atomic_path(path) as temporary:
        temporary.write_text(yaml.safe_dump(dict(stats), sort_keys=False), encoding="utf-8")


def load_task_stats(path: str | Path, spec: TaskSpec) -> dict[str, Any]:
    """Read the statistics of `spec`'s tasks.

    Raises:
        UserError: The file is unreadable or made for other tasks.
    """
    try:
        stats = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read; run stage 4 again: {' '.join(str(error).split())}") from error
    for task in spec:
        found = stats.get(task.name) if isinstance(stats, dict) else None
        labels = found.get("counts" if task.is_classification else "dimensions") if isinstance(found, dict) else None
        if not isinstance(labels, dict) or list(labels) != list(task.labels):
            raise UserError(f"{path}: does not fit task {task.name!r} of tasks.yaml; run stage 4 again")
    return stats


def _task_stats(task: Task, labels: np.ndarray) -> dict[str, Any]:
    if task.is_classification:
        known = labels[labels >= 0]
        counts = np.bincount(known, minlength=len(task.classes))
        return {"labelled": int(known.size), "counts": dict(zip(task.classes, counts.tolist(), strict=True))}
    labelled = ~np.isnan(labels)
    values = np.where(labelled, labels, 0.0).astype(np.float64)
    count = np.maximum(labelled.sum(axis=0), 1)
    mean = values.sum(axis=0) / count
    std = np.sqrt((np.where(labelled, values - mean, 0.0) ** 2).sum(axis=0) / count)
    return {
        "labelled": int(labelled.any(axis=1).sum()),
        "dimensions": dict(zip(task.dimensions, labelled.sum(axis=0).tolist(), strict=True)),
        "mean": mean.tolist(),
        "std": std.tolist(),
    }


def _check_train(task: Task, stats: Mapping[str, Any], path: Path, allow_empty_classes: bool) -> None:
    counts = stats["counts"] if task.is_classification else stats["dimensions"]
    if stats["labelled"] == 0:
        raise UserError(
            f"{path}: no label for task {task.name!r} in the training set; drop it with --tasks or label it"
        )
    empty = [name for name, count in counts.items() if count == 0]
    if empty and task.is_classification and allow_empty_classes:
        logging.warning(f"{path}: no label for {', '.join(empty)} in the training set; it will never be predicted")
    elif empty:
        raise UserError(f"{path}: no label for {', '.join(empty)} in the training set; take it out of tasks.yaml")
    constant = [] if task.is_classification else [
        name for name, std in zip(task.dimensions, stats["std"], strict=True) if std == 0
    ]  # fmt: skip
    if constant:
        raise UserError(f"{path}: all labels of {constant[0]!r} are equal in the training set; nothing can be learnt")


def _check_speakers(directories: Sequence[Path]) -> None:
    speakers = {directory: set(read_table(directory / "utt2spk").values()) for directory in directories}
    for one, two in itertools.combinations(directories, 2):
        shared = sorted(speakers[one] & speakers[two])
        if shared:
            raise UserError(
                f"{one}/utt2spk and {two}/utt2spk: {len(shared)} speakers are in both, such as {shared[0]!r}; "
                "split by speaker, or pass --allow_speaker_overlap true"
            )
