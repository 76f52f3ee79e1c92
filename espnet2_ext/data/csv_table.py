"""Tables of labels as spreadsheets write them."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet2_ext.errors import UserError

_DELIMITERS = (",", ";", "\t")


def normalise(name: str) -> str:
    """Return a column's name as names are compared: lower case, `_` for whatever is no letter or digit."""
    return re.sub(r"[\W_]+", "_", name.strip()).strip("_").casefold()


@dataclass(frozen=True)
class CsvTable:
    """A table read from a file.

    Attributes:
        path: The file, for messages.
        delimiter: What separates its cells.
        columns: Names of the columns, as written.
        rows: The cells, one tuple for each row, without white space around them.
        lines: Number of the line in the file at which each row ends, for messages.
    """

    path: str
    delimiter: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def find(self, name: str) -> int | None:
        """Return the place of the column called `name`, exactly or else but for case and punctuation; None without.

        Raises:
            UserError: Two columns fit equally well.
        """
        if name in self.columns:
            return self.columns.index(name)
        places = [i for i, column in enumerate(self.columns) if normalise(column) == normalise(name)]
        if len(places) > 1:
            fits = ", ".join(self.columns[i] for i in places)
            raise UserError(f"{self.path}: columns {fits} all fit {name!r}; rename all but one")
        return places[0] if places else None

    def column(self, place: int) -> list[str]:
        """Return the cells of a column."""
        return [row[place] for row in self.rows]

    def where(self, row: int) -> str:
        """Return file and line of a row, for messages."""
        return f"{self.path}:{self.lines[row]}"


def _parse(text: str, delimiter: str, path: str) -> tuple[list[list[str]], list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append(cells)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: {error}; check the quotes of this line") from error
    return rows, lines


def _delimiter(header: str) -> str:
    """Return the delimiter that cuts the header into most cells."""
    counts = {d: len(next(csv.reader([header], delimiter=d), [])) for d in _DELIMITERS}
    return max(_DELIMITERS, key=lambda d: counts[d])


def _check(path: str, columns: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[int]) -> None:
    repeated = [name for name in columns if columns.count(name) > 1]
    if repeated:
        raise UserError(f"{path}: column {repeated[0]!r} stands twice; rename one")
    if not rows:
        raise UserError(f"{path}: has a header and no rows")
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(columns):
            raise UserError(f"{path}:{line}: {len(row)} cells for {len(columns)} columns; quote cells with delimiters")


def read_csv(path: str | Path) -> CsvTable:
    """Read a table with a header; the delimiter (comma, semicolon or tab) is found, a byte order mark is no matter.

    Raises:
        UserError: The file is missing, not UTF-8, empty, or its rows do not fit its header.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from error
    header = next((line for line in text.splitlines() if line.strip()), "")
    if not header:
        raise UserError(f"{path}: the file is empty")
    delimiter = _delimiter(header)
    (columns, *rows), (_, *lines) = _parse(text, delimiter, str(path))
    _check(str(path), columns, rows, lines)
    return CsvTable(str(path), delimiter, tuple(columns), tuple(tuple(row) for row in rows), tuple(lines))
