"""Kaldi script files that point into archives, read as data: nothing in them can run."""

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.table import read_table

_RANGE = re.compile(r"\[[^\]]*\]$")
_OFFSET = re.compile(r"^(?P<path>.+):(?P<offset>[0-9]+)$")


class ScpEntry(NamedTuple):
    """Place of one matrix: an archive and the byte at which its binary header starts (0 for a file of one matrix)."""

    path: str
    offset: int


def parse_entry(value: str) -> ScpEntry:
    """Read ``path:offset`` or ``path``.

    Raises:
        ValueError: The value is a pipe, standard input or a range of rows; the message says which.
    """
    if "|" in value:
        raise ValueError("a shell pipe is not run; write its output to a file and name that file")
    if value == "-":
        raise ValueError("standard input is not read; name a file")
    if _RANGE.search(value):
        raise ValueError("a range of rows is not supported; write the rows to an archive of their own")
    if "\0" in value:
        raise ValueError("a path cannot hold a zero byte; write the file again")
    match = _OFFSET.match(value)
    return ScpEntry(match["path"], int(match["offset"])) if match else ScpEntry(value, 0)


def read_scp(path: str | os.PathLike[str]) -> dict[str, ScpEntry]:
    """Read a script file such as feats.scp, in the order of the file.

    Raises:
        UserError: The table is bad (see `read_table`), an entry is no plain path, or an archive is missing or no
            regular file.
    """
    entries: dict[str, ScpEntry] = {}
    seen: dict[str, str] = {}
    for utterance, value in read_table(path).items():
        try:
            archive, offset = parse_entry(value)
        except ValueError as error:
            raise UserError(f"{path}: utterance {utterance}: {error}") from error
        if archive not in seen:
            _check_regular(archive, f"{path}: utterance {utterance}")
        # One string per archive, not per utterance: a corpus has far more of these.
        entries[utterance] = ScpEntry(seen.setdefault(archive, archive), offset)
    return entries


def _check_regular(archive: str, where: str) -> None:
    """Refuse a missing file, a folder, a device and a named pipe."""
    try:
        mode = Path(archive).stat().st_mode
    except OSError as error:
        raise UserError(f"{where}: {archive}: {error.strerror}; run the feature stage again") from error
    if not stat.S_ISREG(mode):
        raise UserError(f"{where}: {archive} is not a regular file; name an archive")
