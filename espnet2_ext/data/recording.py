"""Recordings of a corpus that is released as tables: ids in brackets, official sets, speakers that may be withheld."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from espnet2_ext.data.csv_table import CsvTable
from espnet2_ext.data.csv_to_data_dir import safe_id
from espnet2_ext.data.guess_tasks import is_missing
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_spec import TaskSpec

# Names of the sets in tables, and those of the data directories.
SETS = {"train": "train", "val": "dev", "test": "test"}
# The set whose labels the organisers keep.
BLIND = "test"


@dataclass(frozen=True)
class Recording:
    """One recording.

    Attributes:
        file_id: Id without brackets, e.g. `00012`; the wav's name.
        set_name: `train`, `dev` or `test`.
        speaker: Speaker id; where it is not told, an id that no other recording has.
        labels: By task name, the label as label files hold it; a missing one is absent.
        where: File and line, for messages.
    """

    file_id: str
    set_name: str
    speaker: str
    labels: dict[str, str]
    where: str

    @property
    def utt(self) -> str:
        """Utterance id: the speaker comes first, as Kaldi's order wants it."""
        return f"{self.speaker}-{self.file_id}"

    @property
    def has_speaker(self) -> bool:
        """Whether the table tells the speaker."""
        return self.speaker != _unknown(self.file_id)


def required_column(table: CsvTable, name: str) -> int:
    """Return the place of a column.

    Raises:
        UserError: There is none of this name.
    """
    place = table.find(name)
    if place is None:
        raise UserError(f"{table.path}: no column {name}; the columns are {', '.join(table.columns)}")
    return place


def read_file_id(cell: str, where: str) -> str:
    """Return the id of a cell such as `[00012]`.

    Raises:
        UserError: It holds what no file name should.
    """
    file_id = _bare(cell)
    if is_missing(file_id) or safe_id(file_id, "-") != file_id:
        raise UserError(f"{where}: File_ID {cell!r} is no id such as [00012]; mend the row")
    return file_id


def read_set_name(cell: str, where: str) -> str:
    """Return the name of the data directory of a cell such as `Val`.

    Raises:
        UserError: It is no set.
    """
    name = SETS.get(_bare(cell).casefold())
    if name is None:
        raise UserError(f"{where}: Split {cell!r} is none of Train, Val, Test; mend the row")
    return name


def read_speaker(cell: str, file_id: str) -> str:
    """Return the speaker; without `-`, so that ids sorted by utterance are sorted by speaker too."""
    return _unknown(file_id) if is_missing(_bare(cell)) else safe_id(_bare(cell))


def check_sets(path: str, names: Iterable[str]) -> None:
    """Check that each set has a recording.

    Raises:
        UserError: One has none.
    """
    found = set(names)
    for split, name in SETS.items():
        if name not in found:
            raise UserError(f"{path}: no row has the split {split.capitalize()}; take the whole table")


def check_speakers(recordings: Sequence[Recording]) -> None:
    """Check that no speaker is in two sets.

    Raises:
        UserError: One is.
    """
    first: dict[str, Recording] = {}
    for recording in recordings:
        other = first.setdefault(recording.speaker, recording)
        if other.set_name != recording.set_name:
            raise UserError(
                f"{recording.where}: speaker {recording.speaker} is in {recording.set_name} here and in "
                f"{other.set_name} before ({other.where}); the official sets share no speaker, take the released table"
            )


def check_complete(file_id: str, labels: Mapping[str, str], spec: TaskSpec, where: str) -> None:
    """Check that a recording has all labels.

    Raises:
        UserError: One is missing, also if only of one dimension.
    """
    for name in incomplete_tasks(labels, spec):
        raise UserError(
            f"{where}: {file_id}: {name}: the label is missing, and the released table has all of Train and "
            "Val; mend the row, or take missing labels with --allow_missing true"
        )


def incomplete_tasks(labels: Mapping[str, str], spec: TaskSpec) -> list[str]:
    """Return the tasks of which a label, or one of its dimensions, is missing."""
    return [name for name in spec.names if "nan" in labels.get(name, "nan").split()]


def _bare(cell: str) -> str:
    """Take off what some releases write around a cell: quotes and square brackets."""
    return cell.strip("'\" ").removeprefix("[").removesuffix("]").strip("'\" ")


def _unknown(file_id: str) -> str:
    return f"unknown{safe_id(file_id)}"
