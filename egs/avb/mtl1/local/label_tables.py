"""The challenge's label files, labels/<task>_info.csv, joined by id: one recording for each id that any of them has."""

import csv
import dataclasses
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from espnet2_ext.data.csv_labels import label, task_columns
from espnet2_ext.data.csv_table import CsvTable, read_csv
from espnet2_ext.data.guess_tasks import is_missing
from espnet2_ext.data.recording import (
    BLIND,
    Recording,
    check_complete,
    check_sets,
    check_speakers,
    read_file_id,
    read_set_name,
    read_speaker,
    required_column,
)
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_spec import Task, TaskSpec

# Columns of tasks of classes, where they are not called as the task.
CLASS_COLUMNS = {"type": "Voc_Type"}
SPEAKER = "Subject_ID"


@dataclass(frozen=True)
class LabelTable:
    """One label file.

    Attributes:
        table: The file, with the task's columns renamed to its dimensions, or its name.
        header: The task's columns as the file spells them, in its order.
    """

    table: CsvTable
    header: tuple[str, ...]

    @property
    def header_cells(self) -> str:
        """The header as a line of csv."""
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(self.header)
        return line.getvalue()


@dataclass
class _Entry:
    """What the files read so far say about an id."""

    set_name: str
    where: str
    labels: dict[str, str] = field(default_factory=dict)


def label_file(root: Path, task: str) -> Path:
    """Return the path of a task's label file."""
    return root / "labels" / f"{task}_info.csv"


def read_label_table(path: Path, task: Task) -> LabelTable:
    """Read a label file; case, blanks and punctuation in the names of its columns are no matter.

    Raises:
        UserError: It is no table, or a column is missing or there twice.
    """
    table = read_csv(path)
    names = [task.name] if task.is_classification else list(task.dimensions)
    wanted = {letters(CLASS_COLUMNS.get(name, name) if task.is_classification else name): name for name in names}
    renamed = [wanted.get(letters(column), column) for column in table.columns]
    for spelling, name in wanted.items():
        found = [column for column in table.columns if letters(column) == spelling]
        column = CLASS_COLUMNS.get(name, name) if task.is_classification else name
        if not found:
            raise UserError(
                f"{path}: no column {column} of task {task.name!r}; the header is {','.join(table.columns)}"
            )
        if len(found) > 1:
            raise UserError(f"{path}: columns {', '.join(found)} all fit {column}; delete all but one")
    header = tuple(column for column in table.columns if letters(column) in wanted)
    return LabelTable(dataclasses.replace(table, columns=tuple(renamed)), header)


def read_recordings(
    tables: Mapping[str, LabelTable], spec: TaskSpec, speaker_table: CsvTable | None, allow_missing: bool
) -> list[Recording]:
    """Join the label files by id.

    Args:
        tables: The label file of each task.
        spec: The tasks.
        speaker_table: A table with File_ID and Subject_ID, or None.
        allow_missing: Whether labels may be missing in Train and Val.

    Returns:
        The recordings, by id.

    Raises:
        UserError: A column is missing, an id has two rows or two sets or two speakers, a split or a class is unknown, a
            value is out of range, a label is missing that may not be, or a speaker is in two sets.
    """
    entries: dict[str, _Entry] = {}
    for task in spec:
        _read_task(tables[task.name].table, task, entries)
    sources = [tables[task.name].table for task in spec if tables[task.name].table.find(SPEAKER) is not None]
    cells = _speaker_cells([*sources, *([speaker_table] if speaker_table else [])])
    recordings = []
    for file_id, entry in sorted(entries.items()):
        if entry.set_name != BLIND and not allow_missing:
            check_complete(file_id, entry.labels, spec, entry.where)
        speaker = read_speaker(cells.get(file_id, ""), file_id)
        recordings.append(Recording(file_id, entry.set_name, speaker, entry.labels, entry.where))
    check_sets(", ".join(found.table.path for found in tables.values()), (r.set_name for r in recordings))
    check_speakers(recordings)
    return recordings


def _read_task(table: CsvTable, task: Task, entries: dict[str, _Entry]) -> None:
    """Add the rows of one label file."""
    id_place, set_place = (required_column(table, name) for name in ("File_ID", "Split"))
    places = task_columns(table, task)
    lines: dict[str, int] = {}
    for i, row in enumerate(table.rows):
        where = table.where(i)
        file_id, set_name = read_file_id(row[id_place], where), read_set_name(row[set_place], where)
        if file_id in lines:
            raise UserError(f"{where}: {file_id}: is in line {lines[file_id]} too; delete one of the two rows")
        lines[file_id] = table.lines[i]
        entry = entries.setdefault(file_id, _Entry(set_name, where))
        if entry.set_name != set_name:
            raise UserError(
                f"{where}: {file_id}: is in {set_name} here and in {entry.set_name} in {entry.where}; mend a row"
            )
        text = label(row, places, task, table.delimiter, where)
        if text is not None:
            entry.labels[task.name] = text


def _speaker_cells(tables: Sequence[CsvTable]) -> dict[str, str]:
    """Return the cell of Subject_ID by id, of the tables that have it."""
    cells: dict[str, str] = {}
    for table in tables:
        id_place, place = (required_column(table, name) for name in ("File_ID", SPEAKER))
        for i, row in enumerate(table.rows):
            file_id = read_file_id(row[id_place], table.where(i))
            if not is_missing(row[place]) and cells.setdefault(file_id, row[place]) != row[place]:
                raise UserError(
                    f"{table.where(i)}: {file_id}: {SPEAKER} is {row[place]!r} here and {cells[file_id]!r} before; "
                    "mend one of the rows"
                )
    return cells


def letters(name: str) -> str:
    """Return a column's name as names are compared here: `SouthAfrica_Awe` is `South Africa_Awe`."""
    return re.sub(r"[\W_]+", "", name).casefold()
