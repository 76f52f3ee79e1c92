"""Writing of Kaldi archives that are either complete or absent."""

import io
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import fsync_path, temp_path

_BUFFER_BYTES = 1 << 20
# Bounds of Kaldi's methods with a fixed range: 4 two-byte integers, 6 one-byte integers, 7 values in [0, 1].
_FIXED_RANGES = {4: (-32768.0, 32767.0), 6: (0.0, 255.0), 7: (0.0, 1.0)}


class ArkWriter:
    """Writer of an archive and its script file; use it as a context manager.

    Both are written under temporary names. When the block ends without an exception, they are brought to the disk and
    renamed, the script file last: where a script file stands, its archive is complete.

    Args:
        ark_path: The archive. It stands in the script file as it is given, so give it relative to the recipe folder.
        scp_path: The script file.
        compression: Kaldi's compression method 1 to 7 for matrices, or None for float32. Vectors stay float32.
            Methods 4 (integers in [-32768, 32767]), 6 (integers in [0, 255]) and 7 ([0, 1]) have fixed ranges, to which
            values are clipped.
        ark_name: What stands in the script file instead of `ark_path`, for an archive that will be moved there.

    Raises:
        UserError: A bad method, or the files cannot be made.
    """

    def __init__(
        self,
        ark_path: str | os.PathLike[str],
        scp_path: str | os.PathLike[str],
        compression: int | None = None,
        ark_name: str | None = None,
    ) -> None:
        if compression is not None and compression not in range(1, 8):
            raise UserError(f"{ark_path}: compression method {compression} is unknown; use 1 to 7")
        self._ark_path = os.fspath(ark_path)
        self._ark_name = ark_name or self._ark_path
        if self._ark_name != self._ark_name.strip() or any(c in self._ark_name for c in "|\n["):
            raise UserError(f"{self._ark_name!r}: the name cannot stand in a script file; choose a plain one")
        self._scp_path = Path(scp_path)
        self._compression = compression
        self._keys: set[str] = set()
        self._lines: list[str] = []
        self._temporary = temp_path(ark_path)
        try:
            for path in (Path(ark_path), self._scp_path):
                path.parent.mkdir(parents=True, exist_ok=True)
            self._file = io.BufferedWriter(io.FileIO(self._temporary, "w"), _BUFFER_BYTES)
        except OSError as error:
            raise self._error(error) from error

    def write(self, utterance: str, array: np.ndarray) -> None:
        """Append a matrix ``(T, D)`` or a vector ``(N,)``; it is stored as float32.

        A uint8 matrix with compression 6 is stored as it is, a byte a value: nothing is lost, and no copy is made.

        Raises:
            UserError: The utterance's name is bad or occurs twice, the array has another rank or values that are not
                finite, or the disk is full.
        """
        if utterance in self._keys or len(utterance.split()) != 1 or utterance != utterance.strip():
            raise UserError(f"{self._ark_name}: utterance {utterance!r} occurs twice or holds a blank; rename it")
        whole = array.dtype == np.uint8 and array.ndim == 2 and self._compression == 6
        array = np.ascontiguousarray(array, "u1" if whole else "<f4")
        if array.ndim not in (1, 2):
            raise UserError(f"{self._ark_name}: utterance {utterance}: {array.ndim} dimensions; give 1 or 2")
        if not whole and not np.isfinite(array).all():
            raise UserError(f"{self._ark_name}: utterance {utterance}: values are not finite; check its audio")
        try:
            self._file.write(utterance.encode() + b" ")
            offset = self._file.tell()
            self._write_array(array)
        except OSError as error:
            raise self._error(error) from error
        self._keys.add(utterance)
        self._lines.append(f"{utterance} {self._ark_name}:{offset}\n")

    def _write_array(self, array: np.ndarray) -> None:
        if array.ndim == 1:
            self._file.write(struct.pack("<5sbi", b"\0BFV ", 4, array.shape[0]))
        elif self._compression is None or array.size == 0:
            self._file.write(struct.pack("<5sbibi", b"\0BFM ", 4, array.shape[0], 4, array.shape[1]))
        elif array.dtype == np.uint8:
            self._file.write(struct.pack("<6sffii", b"\0BCM3 ", 0.0, 255.0, *array.shape))
        else:
            self._file.write(_compress(array, self._compression))
            return
        self._file.write(array.data)

    def close(self) -> None:
        """Put both files in place.

        Raises:
            UserError: The disk is full or not writable; nothing is left behind.
        """
        if self._file.closed:
            return
        temporary_scp = temp_path(self._scp_path)
        try:
            self._file.close()
            temporary_scp.write_text("".join(self._lines), encoding="utf-8")
            fsync_path(self._temporary)
            fsync_path(temporary_scp)
            # An older script file must not point into the new archive, should the process end between the renames.
            self._scp_path.unlink(missing_ok=True)
            os.replace(self._temporary, self._ark_path)
            os.replace(temporary_scp, self._scp_path)
            fsync_path(self._scp_path.parent)
        except OSError as error:
            raise self._error(error) from error
        finally:
            temporary_scp.unlink(missing_ok=True)
            self._temporary.unlink(missing_ok=True)

    def discard(self) -> None:
        """Leave the old files, if any, as they were, and remove what was written."""
        if not self._file.closed:
            # Not the buffer: closing it would write what is left, which fails on a full disk.
            self._file.raw.close()
        self._temporary.unlink(missing_ok=True)

    def _error(self, error: OSError) -> UserError:
        return UserError(f"{self._ark_path}: cannot be written ({error.strerror}); free space or choose another disk")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def _compress(array: np.ndarray, method: int) -> bytes:
    """Return Kaldi's compressed form; kaldiio's encoder lets values outside a fixed range wrap, so they are clipped."""
    from kaldiio.matio import write_array

    if method in _FIXED_RANGES:
        array = np.clip(array, *_FIXED_RANGES[method])
    buffer = io.BytesIO()
    write_array(buffer, array, compression_method=method)
    return buffer.getvalue()
