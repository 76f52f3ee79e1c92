import os
from pathlib import Path

import pytest

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.table import read_table, write_table


def test_values_keep_their_blanks(tmp_path: Path) -> None:
    path = tmp_path / "utt2x"
    path.write_bytes(b"b  0.1 nan\t2 \na\tfolder with blank/\xc3\xa9.wav\n")
    assert read_table(path) == {"b": "0.1 nan\t2", "a": "folder with blank/é.wav"}
    assert list(read_table(path)) == ["b", "a"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a 1\na 2\n", ":2: key a occurs twice"),
        (b"a 1\nb\n", ":2: key b has no value"),
        (b"a 1\n\nb 2\n", ":2: empty line"),
        (b"a \xff\n", "not UTF-8 at byte 2"),
        (b"", "empty file"),
        (None, "no such file"),
    ],
)
def test_bad_tables_are_one_line(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "utt2x"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_table(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_order_is_that_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "utt2x"
    # As `printf ... | LC_ALL=C sort` gives it: capitals first, then small letters, then other scripts.
    path.write_text("B 1\na 2\na-b 3\naa 4\n\u00e9 5\n\U0001f600 6\n", encoding="utf-8")
    assert len(read_table(path, sorted_keys=True)) == 6
    path.write_text("a 2\nB 1\n")
    with pytest.raises(UserError, match="key B is out of order"):
        read_table(path, sorted_keys=True)


def test_written_tables_are_sorted_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "utt2x"
    write_table(path, {"b": "2", "a-1": "x y", "B": "nan"})
    assert path.read_text() == "B nan\na-1 x y\nb 2\n"
    assert os.listdir(tmp_path) == ["utt2x"]


@pytest.mark.parametrize("rows", [{"a b": "1"}, {"": "1"}, {"a": ""}, {"a": "1\n2"}, {" a": "1"}])
def test_rows_that_could_not_be_read_back_are_refused(tmp_path: Path, rows: dict[str, str]) -> None:
    with pytest.raises(UserError):
        write_table(tmp_path / "utt2x", rows)
    assert os.listdir(tmp_path) == []
