"""What a paper reports, to stand beside a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from espnet2_ext.errors import UserError

# Key of the number of parameters, in millions.
PARAMETERS = "parameters"


@dataclass(frozen=True)
class Paper:
    """What a paper reports: where, and by row the values by key."""

    source: str
    rows: dict[str, dict[str, float]]


def read_paper(path: Path, columns: Sequence[str], names: Sequence[str]) -> Paper:
    """Read reported numbers.

    The file: `source: <which table of which paper>` and `rows: {<row>: {<task>_<metric>: number, <score>: number}}`;
    `parameters`, in millions, may be among the keys. Rows that the table does not have are left out.

    Args:
        path: The file.
        columns: Keys of the table's columns.
        names: Names of its rows.

    Raises:
        UserError: It is not of this form, or names no row of the table, or a key is no column.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    rows = data.get("rows") if isinstance(data, dict) else None
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise UserError(f"{path}: needs `source` and `rows: {{ROW: {{KEY: number}}}}`")
    keys = [*columns, PARAMETERS]
    found: dict[str, dict[str, float]] = {}
    for name, row in rows.items():
        for key, value in row.items():
            if key not in keys or isinstance(value, bool) or not isinstance(value, int | float):
                raise UserError(f"{path}: {name}: {key}: {value!r}: give numbers for {', '.join(keys)}")
        if str(name) in names:
            found[str(name)] = {key: float(value) for key, value in row.items()}
    if not found:
        raise UserError(f"{path}: has no row of {', '.join(names)}; name its rows as the table's")
    return Paper(str(data.get("source", "paper")), found)
