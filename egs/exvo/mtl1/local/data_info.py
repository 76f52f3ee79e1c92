"""The challenge's data_info.csv, read by the names of its columns: one row for each recording."""

from collections.abc import Sequence
from dataclasses import dataclass

from espnet2_ext.data.csv_labels import label, task_columns
from espnet2_ext.data.csv_table import CsvTable, normalise
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


@dataclass(frozen=True)
class Countries:
    """The numbers of the column Country, and the classes that they stand for.

    Attributes:
        codes: Class name by number, as submissions write it.
    """

    codes: dict[int, str]

    def name(self, cell: str, where: str) -> str | None:
        """Return the class of a cell of the column Country: a number of a country, or its name; None if it is empty.

        Raises:
            UserError: No such country.
        """
        if is_missing(cell):
            return None
        number = _whole(cell)
        found = self.codes.get(number) if number is not None else _same(cell, list(self.codes.values()))
        if found is None:
            known = ", ".join(f"{code} {name}" for code, name in self.codes.items())
            raise UserError(f"{where}: Country {cell!r} was never seen in Train; the countries are {known}")
        return found


def read_recordings(
    table: CsvTable, spec: TaskSpec, names: Sequence[str], allow_missing: bool
) -> tuple[list[Recording], Countries]:
    """Read all rows.

    Args:
        table: data_info.csv.
        spec: Tasks with `country`; the others' columns are named as their dimensions.
        names: Countries in the order of their numbers, for a table without Country_string.
        allow_missing: Whether labels may be missing in Train and Val.

    Returns:
        The recordings in the order of the table, and the countries.

    Raises:
        UserError: A column is missing, an id has two rows, a split or a class is unknown, a value is out of range.
    """
    places = {name: required_column(table, name) for name in ("File_ID", "Split", "Subject_ID", "Country")}
    columns = {task.name: task_columns(table, task) for task in spec if task.name != "country"}
    sets = [read_set_name(row[places["Split"]], table.where(i)) for i, row in enumerate(table.rows)]
    countries = _countries(table, places["Country"], sets, spec["country"], names)
    recordings: list[Recording] = []
    lines: dict[str, int] = {}
    for i, row in enumerate(table.rows):
        where, file_id = table.where(i), read_file_id(row[places["File_ID"]], table.where(i))
        if file_id in lines:
            raise UserError(f"{where}: {file_id}: is in line {lines[file_id]} too; delete one of the two rows")
        lines[file_id] = table.lines[i]
        labels = {
            task.name: countries.name(row[places["Country"]], where)
            if task.name == "country"
            else label(row, columns[task.name], task, table.delimiter, where)
            for task in spec
        }
        known = {name: text for name, text in labels.items() if text is not None}
        if sets[i] != BLIND and not allow_missing:
            check_complete(file_id, known, spec, where)
        recordings.append(Recording(file_id, sets[i], read_speaker(row[places["Subject_ID"]], file_id), known, where))
    check_sets(table.path, sets)
    check_speakers(recordings)
    return recordings, countries


def _whole(cell: str) -> int | None:
    """Return a whole number, also one that a spreadsheet wrote as `2.0`; None for anything else."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def _same(cell: str, names: Sequence[str]) -> str | None:
    return next((name for name in names if normalise(name) == normalise(cell)), None)


def _countries(table: CsvTable, place: int, sets: Sequence[str], task: Task, names: Sequence[str]) -> Countries:
    """Find the number of each country: from Country_string, or by the order of the numbers."""
    unknown = [name for name in names if name not in task.classes]
    if unknown or len(set(names)) != len(task.classes):
        raise UserError(f"--countries: name each class of country once: {', '.join(task.classes)}")
    text = table.find("Country_string")
    labelled = [i for i, name in enumerate(sets) if name != BLIND and not is_missing(table.rows[i][place])]
    found: dict[int, str] = {}
    for i in labelled:
        cell, where = table.rows[i][place], table.where(i)
        code = _whole(cell)
        if code is None:
            continue
        name = "" if text is None or is_missing(table.rows[i][text]) else table.rows[i][text]
        if not name:
            found.setdefault(code, "")
            continue
        country = _same(name, task.classes)
        if country is None:
            raise UserError(f"{where}: Country_string {name!r} is no class; tasks.yaml has {', '.join(task.classes)}")
        if found.get(code) not in (None, "", country):
            raise UserError(f"{where}: Country {code} is {country} here and {found[code]} before; mend the row")
        found[code] = country
    named = [name for name in found.values() if name]
    if not found:  # Country holds names
        return Countries(dict(enumerate(names)))
    if not named and len(found) == len(names):
        return Countries(dict(zip(sorted(found), names, strict=True)))
    if len(named) != len(found) or len(set(named)) != len(named):
        raise UserError(
            f"{table.path}: the numbers {', '.join(map(str, sorted(found)))} of Country cannot be told apart as "
            f"{', '.join(names)}; add the column Country_string"
        )
    return Countries(dict(sorted(found.items())))
