"""Random reading of Kaldi archives."""

import os
import stat
from collections.abc import KeysView
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark_header import MAX_HEADER_BYTES, ArkHeader, decode, parse_header
from espnet2_ext.fileio.ark_writer import ArkWriter
from espnet2_ext.fileio.scp import ScpEntry, read_scp

__all__ = ["ArkReader", "ArkWriter", "ScpEntry", "read_scp"]

# Well below the usual limit of 1,024 descriptors, also with several readers in one process.
_MAX_OPEN_FILES = 128


class _Place(NamedTuple):
    """What is known of an entry after its first read: all that a later read needs, in one look-up."""

    path: str
    offset: int
    header: ArkHeader
    raw: bytes
    length: int
    shape: tuple[int, ...]
    dtype: type[np.generic]


class _OpenFile:
    """A descriptor and the file's size; closed when the last reader lets go, so that no read meets a reused number."""

    __slots__ = ("descriptor", "size")

    def __init__(self, path: str) -> None:
        # Non-blocking: a named pipe put in place of the archive must not hang the job.
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        status = os.fstat(self.descriptor)
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else 0

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


class ArkReader:
    """Matrices of a script file by utterance.

    Each read is one system call for header and data together. The header is parsed and checked against the file at the
    first read of an utterance, and compared with that one at each later read. Descriptors belong to one process
    (a forked worker opens its own), a bounded number stays open, and threads may share a reader.

    Args:
        scp_path: Script file, such as feats.scp; its paths are relative to the working directory.

    Raises:
        UserError: See `read_scp`.
    """

    def __init__(self, scp_path: str | os.PathLike[str]) -> None:
        self.scp_path = os.fspath(scp_path)
        self._entries = read_scp(scp_path)
        self._known: dict[str, _Place] = {}
        self._reset_files()

    def _reset_files(self) -> None:
        self._process = os.getpid()
        self._open = lru_cache(maxsize=_MAX_OPEN_FILES)(_OpenFile)

    def __getstate__(self) -> dict[str, Any]:
        # Open files do not travel to a spawned worker.
        return {"scp_path": self.scp_path, "_entries": self._entries, "_known": self._known}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset_files()

    def keys(self) -> KeysView[str]:
        """Return the utterances in the order of the script file."""
        return self._entries.keys()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, utterance: object) -> bool:
        return utterance in self._entries

    def shape(self, utterance: str) -> tuple[int, ...]:
        """Return ``(T, D)`` of a matrix or ``(N,)`` of a vector from its header alone.

        Raises:
            UserError: See `__getitem__`.
        """
        return (self._known.get(utterance) or self._read_header(utterance)).header.shape

    def __getitem__(self, utterance: str) -> np.ndarray:
        """Return a new, writable float32 array of shape ``(T, D)`` or ``(N,)``.

        Raises:
            UserError: The utterance is unknown, the entry is no binary Kaldi matrix, or the archive is torn, missing
                or was changed after the first read.
        """
        place = self._known.get(utterance) or self._read_header(utterance)
        data = self._read(utterance, place)
        return data if place.dtype is np.float32 else decode(place.header, data.data)

    def read_uint8(self, utterance: str) -> np.ndarray:
        """Return the bytes of a matrix of whole numbers from 0 to 255 as a new, writable uint8 array ``(T, D)``.

        Such are the matrices that `ArkWriter` stores with compression 6 of a uint8 array: nothing is lost, and four
        times less is read than as float32.

        Raises:
            UserError: The matrix is stored in another way, or as `__getitem__`.
        """
        place = self._known.get(utterance) or self._read_header(utterance)
        if not place.header.holds_bytes:
            raise self._error(utterance, f"a matrix of type {place.header.kind} does not hold bytes from 0 to 255")
        return self._read(utterance, place).reshape(place.header.shape)

    def _read(self, utterance: str, place: _Place) -> np.ndarray:
        """Read an entry: float32 values in their shape, or the bytes of a compressed or double one."""
        path, offset, _, raw, length, shape, dtype = place
        # Header and data go to separate buffers, which leaves the values aligned and saves a copy.
        found = bytearray(len(raw))
        data = np.empty(shape, dtype)
        try:
            file = self._file(path)
            count = os.preadv(file.descriptor, (found, data) if data.size else (found,), offset)
            if count != length:
                count = self._read_rest(file, offset, found, data)
        except OSError as error:
            raise self._error(utterance, f"cannot be read ({error.strerror})") from error
        if found != raw or count != length:
            raise self._error(utterance, "the archive changed or was cut off while it was in use")
        return data

    def _file(self, path: str) -> _OpenFile:
        if os.getpid() != self._process:
            self._reset_files()
        return self._open(path)

    @staticmethod
    def _read_rest(file: _OpenFile, offset: int, found: bytearray, data: np.ndarray) -> int:
        """Read an entry in pieces, because one call ends at 2 GiB; return the bytes read."""
        count = os.preadv(file.descriptor, (found,), offset)
        view = memoryview(data).cast("B")
        while count >= len(found) and count < len(found) + len(view):
            piece = os.preadv(file.descriptor, (view[count - len(found) :],), offset + count)
            if piece == 0:
                break
            count += piece
        return count

    def _read_header(self, utterance: str) -> _Place:
        """Parse an entry's header and check its size against the file before any memory is taken for it."""
        entry = self._entries.get(utterance)
        if entry is None:
            raise UserError(f"{self.scp_path}: no utterance {utterance}; run the feature stage for it")
        try:
            file = self._file(entry.path)
            if entry.offset >= file.size:
                raise self._error(utterance, "the offset lies beyond the end of the file")
            raw = os.pread(file.descriptor, MAX_HEADER_BYTES, entry.offset)
            header = parse_header(raw)
        except OSError as error:
            raise self._error(utterance, f"cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise self._error(utterance, str(error)) from error
        end = entry.offset + header.header_bytes + header.data_bytes
        if end > file.size:
            raise self._error(utterance, f"torn archive, {end - file.size} bytes are missing")
        plain = header.kind in ("FM", "FV")
        place = _Place(
            *entry,
            header,
            raw[: header.header_bytes],
            header.header_bytes + header.data_bytes,
            header.shape if plain else (header.data_bytes,),
            np.float32 if plain else np.uint8,
        )
        self._known[utterance] = place
        return place

    def _error(self, utterance: str, reason: str) -> UserError:
        path, offset = self._entries[utterance]
        return UserError(f"{path}:{offset}: utterance {utterance}: {reason}; run the feature stage again")
