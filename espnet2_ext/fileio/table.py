"""Kaldi tables: text files with a key and the rest of the line, such as utt2spk."""

import os
from collections.abc import Mapping
from pathlib import Path

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path


def read_table(path: str | os.PathLike[str], sorted_keys: bool = False) -> dict[str, str]:
    """Read a table strictly.

    Args:
        path: File of lines ``<key> <value>``, separated by blanks or tabs.
        sorted_keys: Refuse a file that is not in the byte order of ``LC_ALL=C sort``.

    Returns:
        The value of every key, in the order of the file.

    Raises:
        UserError: The file is missing or not UTF-8, a line has no value, a key comes twice, or the order is wrong.
    """
    table: dict[str, str] = {}
    previous = ""
    for number, line in enumerate(_read_text(path).split("\n"), 1):
        fields = line.split(None, 1)
        if len(fields) != 2:
            if fields:
                raise UserError(f"{path}:{number}: key {fields[0]} has no value; add it or remove the line")
            raise UserError(f"{path}:{number}: empty line; remove it")
        key, value = fields
        if key in table:
            raise UserError(f"{path}:{number}: key {key} occurs twice; keep one of its lines")
        # The order of code points is the order of UTF-8 bytes.
        if sorted_keys and key < previous:
            raise UserError(f"{path}:{number}: key {key} is out of order; sort the file with LC_ALL=C sort")
        table[key] = value.rstrip()
        previous = key
    return table


def _read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a non-binary file without its last line end; UserError names what is wrong."""
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run the stage that makes it, or mend the path") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; convert it with iconv -t UTF-8") from error
    if not text:
        raise UserError(f"{path}: empty file; run the stage that makes it again")
    return text.removesuffix("\n")


def write_table(path: str | os.PathLike[str], rows: Mapping[str, str]) -> None:
    """Write a table in ``LC_ALL=C`` order, complete or not at all.

    Raises:
        UserError: A key is empty or holds a blank, a value is empty or has more than one line, or the disk is full.
    """
    for key, value in rows.items():
        if len(key.split()) != 1 or key != key.strip():
            raise UserError(f"{path}: key {key!r} is empty or holds a blank; rename it")
        if not value.strip() or "\n" in value:
            raise UserError(f"{path}: the value of {key} is empty or has several lines; mend it")
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{key} {rows[key]}\n" for key in sorted(rows))
