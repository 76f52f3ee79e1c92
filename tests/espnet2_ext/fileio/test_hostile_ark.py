"""Torn archives and script files that try to run something: one line each, and nothing runs."""

import os
import pickle
import struct
from pathlib import Path

import kaldiio
import numpy as np
import pytest

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark import ArkReader, ArkWriter, read_scp

MARKER = "was_run"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ArkWriter("a.ark", "a.scp") as writer:
        writer.write("u", np.ones((10, 4), np.float32))


def message(scp: str, utterance: str = "u") -> str:
    """The one line that reading gives."""
    with pytest.raises(UserError) as caught:
        _ = ArkReader(scp)[utterance]
    text = str(caught.value)
    assert "\n" not in text
    assert utterance in text
    assert not Path(MARKER).exists()
    return text


def entry(data: bytes) -> str:
    """A script file of one utterance whose archive holds these bytes."""
    Path("x.ark").write_bytes(b"u " + data)
    Path("x.scp").write_text("u x.ark:2\n")
    return "x.scp"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (f"touch {MARKER} |", "pipe"),
        (f"cat a.ark | tee {MARKER} |", "pipe"),
        (f"| touch {MARKER}", "pipe"),
        ("-", "standard input"),
        ("a.ark:2[0:3]", "range"),
        ("a.ark:2[0:3,0:2]", "range"),
        ("missing.ark:2", "No such file"),
        (".", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("a.ark:99999", "beyond the end"),
        ("a.ark:" + "9" * 40, "beyond the end"),
        ("a.ark:5", "no binary Kaldi matrix"),
    ],
)
def test_script_files(value: str, words: str) -> None:
    Path("x.scp").write_text(f"u {value}\n")
    assert words in message("x.scp")


def test_a_named_pipe_is_refused_without_waiting() -> None:
    os.mkfifo("fifo")
    Path("x.scp").write_text("u fifo:0\n")
    assert "not a regular file" in message("x.scp")


def test_a_zero_byte_in_a_path() -> None:
    Path("x.scp").write_bytes(b"u a.ark\0b:2\n")
    assert "zero byte" in message("x.scp")


class Bomb:
    def __reduce__(self) -> tuple:
        return os.system, (f"touch {MARKER}",)


def test_a_pickled_entry_is_not_loaded() -> None:
    assert "pickled" in message(entry(b"PKL" + pickle.dumps(Bomb())))
    kaldiio.load_mat("x.ark:2")  # the entry is a real one: kaldiio runs it
    assert Path(MARKER).exists()


@pytest.mark.parametrize("data", [b"NPY\1\0", b"AUDIO\1\0", b"RIFF\0\0\0\0WAVEfmt ", b"fLaC\0\0", b" [\n 1 2 ]\n"])
def test_other_entries_are_refused(data: bytes) -> None:
    message(entry(data))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"\0BFM " + struct.pack("<bibi", 4, 1 << 20, 4, 1 << 18), "torn archive"),  # 1 TiB
        (b"\0BFM " + struct.pack("<bibi", 4, 2**31 - 1, 4, 2**31 - 1), "torn archive"),
        (b"\0BFM " + struct.pack("<bibi", 4, -3, 4, 4), "bad size"),
        (b"\0BFM " + struct.pack("<bibi", 4, -3, 4, -4), "bad size"),
        (b"\0BFM " + struct.pack("<bibi", 8, 3, 4, 4), "bad size"),
        (b"\0BFV " + struct.pack("<bi", 4, -1), "bad size"),
        (b"\0BCM " + struct.pack("<ffii", 0, 1, -1, 5), "bad size"),
        (b"\0BCM2 " + struct.pack("<ffii", 0, 1, 1 << 30, 1 << 30), "torn archive"),
        (b"\0BCM4 " + struct.pack("<ffii", 0, 1, 1, 1), "unknown matrix type"),
        (b"\0BXY " + bytes(20), "unknown matrix type"),
        (b"\0B\4" + bytes(20), "unknown matrix type"),
        (b"\0BFM \4\1", "cut off"),
        (b"\0B", "unknown matrix type"),
    ],
)
def test_headers_take_no_memory(header: bytes, words: str) -> None:
    assert words in message(entry(header))


@pytest.mark.parametrize("missing", [1, 100, 160])
def test_a_torn_archive_is_named(missing: int) -> None:
    size = os.path.getsize("a.ark")
    os.truncate("a.ark", size - missing)
    text = message("a.scp")
    assert "a.ark:2" in text
    assert f"{missing} bytes are missing" in text


def test_a_change_after_the_first_read_is_noticed() -> None:
    reader = ArkReader("a.scp")
    assert reader["u"].shape == (10, 4)
    os.truncate("a.ark", 60)
    with pytest.raises(UserError, match="changed or was cut off"):
        reader["u"]
    with open("a.ark", "r+b") as file:
        file.seek(8)
        file.write(struct.pack("<i", 9))
    with pytest.raises(UserError, match="changed or was cut off"):
        reader["u"]


def test_an_unknown_utterance() -> None:
    assert "no utterance v" in message("a.scp", "v")


def test_colons_and_blanks_in_paths() -> None:
    os.rename("a.ark", "a: b.ark")
    Path("x.scp").write_text("u a: b.ark:2\n")
    assert ArkReader("x.scp")["u"].shape == (10, 4)
    assert read_scp("x.scp") == {"u": ("a: b.ark", 2)}
