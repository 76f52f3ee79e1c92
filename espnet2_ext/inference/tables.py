"""Predictions of audio files as they come: JSON lines or CSV."""

import csv
import json
from abc import ABC, abstractmethod
from typing import Any, TextIO

from espnet2_ext.mtl.task_spec import TaskSpec

NOTES = ("frames", "clipped", "padded", "resampled_from", "mixed_down_from", "windows")


class RecordWriter(ABC):
    """Writes one record after the other.

    Args:
        file: Text file, open for writing.
        spec: The tasks.
    """

    def __init__(self, file: TextIO, spec: TaskSpec) -> None:
        self.file, self.spec = file, spec

    @abstractmethod
    def write(self, record: dict[str, Any]) -> None:
        """Write one utterance's record."""


class JsonLines(RecordWriter):
    """One JSON object a line."""

    def write(self, record: dict[str, Any]) -> None:
        """Write one utterance's record."""
        self.file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


class Csv(RecordWriter):
    """One row an utterance.

    Columns: `utt`; `<task>` (class), `<task>.<label>` (values, probabilities), `<task>.unit` if it has one; the notes.
    """

    def __init__(self, file: TextIO, spec: TaskSpec) -> None:
        super().__init__(file, spec)
        header = ["utt"]
        for task in spec:
            header += [task.name] if task.is_classification else []
            header += [f"{task.name}.{label}" for label in task.labels]
            header += [f"{task.name}.unit"] if task.unit else []
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow([*header, *NOTES])

    def write(self, record: dict[str, Any]) -> None:
        """Write one utterance's record."""
        row = [record["utt"]]
        for task in self.spec:
            value = record[task.name]
            row += [value["class"]] if task.is_classification else []
            row += [(value["probabilities"] if task.is_classification else value)[label] for label in task.labels]
            row += [task.unit] if task.unit else []
        self._writer.writerow([*row, *(record["notes"].get(name, "") for name in NOTES)])


WRITERS: dict[str, type[RecordWriter]] = {".jsonl": JsonLines, ".csv": Csv}
