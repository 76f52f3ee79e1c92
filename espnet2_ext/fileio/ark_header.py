r"""Headers of Kaldi's binary matrices, and the decoding of compressed ones.

Formats: Kaldi `matrix/kaldi-matrix.cc`, `kaldi-vector.cc` and `compressed-matrix.h`, all little endian:

    FM, DM   "\0BFM " \4 int32 rows \4 int32 cols, then rows * cols float32 or float64 values by rows
    FV, DV   "\0BFV " \4 int32 size, then the values
    CM       "\0BCM " float32 minimum, range, int32 rows, cols, then cols * 4 uint16 percentiles, then uint8 by columns
    CM2, CM3 the same header, then rows * cols uint16 or uint8 values by rows
"""

import struct
from typing import NamedTuple

import numpy as np

# The longest header (CM2, CM3): marker 2, token and blank 4, four numbers 16.
MAX_HEADER_BYTES = 22
_SIZES = {"FM": 4, "DM": 8, "FV": 4, "DV": 8, "CM": 1, "CM2": 2, "CM3": 1}
_FOREIGN = {
    b"PKL": "a pickled entry is not loaded, because it can run code",
    b"NPY": "a NumPy entry is not supported",
    b"AUDIO": "an audio entry is not supported",
    b"RIFF": "an audio entry is not supported",
    b"fLaC": "an audio entry is not supported",
}


class ArkHeader(NamedTuple):
    """Header of one matrix or vector.

    Attributes:
        kind: Token of the format, such as ``FM``.
        shape: ``(T, D)`` of a matrix, ``(N,)`` of a vector.
        header_bytes: Length of the header, 10 to 22.
        data_bytes: Length of what follows it.
        minimum: Least value of a compressed matrix, else 0.
        range: Greatest minus least value of a compressed matrix, else 0.
    """

    kind: str
    shape: tuple[int, ...]
    header_bytes: int
    data_bytes: int
    minimum: float = 0.0
    range: float = 0.0

    @property
    def holds_bytes(self) -> bool:
        """Whether the data are the values themselves: whole numbers from 0 to 255, a byte each, by rows."""
        return (self.kind, self.minimum, self.range) == ("CM3", 0.0, 255.0)


def parse_header(data: bytes) -> ArkHeader:
    """Read a header from the first bytes of an entry.

    Raises:
        ValueError: It is none of the formats above, is cut off, or holds a negative size; the message is a phrase.
    """
    if data[:2] != b"\0B":
        for magic, reason in _FOREIGN.items():
            if data.startswith(magic):
                raise ValueError(reason)
        raise ValueError("no binary Kaldi matrix starts here (a text matrix, another file, or a wrong offset)")
    token = data[2:6].split(b" ")[0]
    kind = token.decode("latin-1")
    if kind not in _SIZES or data[2 + len(token) : 3 + len(token)] != b" ":
        raise ValueError(f"unknown matrix type {token!r}")
    start = 3 + len(token)
    try:
        if kind[0] == "C":
            return _compressed_header(kind, start, *struct.unpack_from("<ffii", data, start))
        if kind[1] == "V":
            mark, size = struct.unpack_from("<bi", data, start)
            return _plain_header(kind, (size,), start + 5, mark == 4)
        mark, rows, mark2, cols = struct.unpack_from("<bibi", data, start)
    except struct.error as error:
        raise ValueError("the header is cut off") from error
    return _plain_header(kind, (rows, cols), start + 10, mark == 4 and mark2 == 4)


def _plain_header(kind: str, shape: tuple[int, ...], header_bytes: int, marks_good: bool) -> ArkHeader:
    if not marks_good or min(shape) < 0:
        raise ValueError(f"the header holds a bad size {shape}")
    values = shape[0] * shape[-1] if len(shape) == 2 else shape[0]
    return ArkHeader(kind, shape, header_bytes, values * _SIZES[kind])


def _compressed_header(kind: str, start: int, minimum: float, span: float, rows: int, cols: int) -> ArkHeader:
    if min(rows, cols) < 0:
        raise ValueError(f"the header holds a bad size {(rows, cols)}")
    size = rows * cols * _SIZES[kind] + (8 * cols if kind == "CM" else 0)
    return ArkHeader(kind, (rows, cols), start + 16, size, minimum, span)


def decode(header: ArkHeader, data: bytes) -> np.ndarray:
    """Turn the bytes after a header into float32 values.

    Args:
        header: The parsed header.
        data: Exactly ``header.data_bytes`` bytes.

    Returns:
        A writable float32 array of ``header.shape``, equal to kaldiio's decoding to the bit (Kaldi rounds
        in another order: up to 2^-15 relative for 16-bit integers, method 4, else float32 rounding).
    """
    if header.kind in ("FM", "FV"):
        return np.frombuffer(data, "<f4").reshape(header.shape).astype(np.float32)
    if header.kind in ("DM", "DV"):
        return np.frombuffer(data, "<f8").reshape(header.shape).astype(np.float32)
    if header.kind == "CM":
        return _decode_percentiles(header, data)
    dtype, steps = ("<u2", 65535.0) if header.kind == "CM2" else ("u1", 255.0)
    values = np.frombuffer(data, dtype).reshape(header.shape).astype(np.float32)
    values *= header.range
    values /= steps
    values += header.minimum
    return values


def _decode_percentiles(header: ArkHeader, data: bytes) -> np.ndarray:
    """Decode CM: a piecewise linear map per column through its percentiles 0, 25, 75 and 100.

    A byte has 256 values and a column more rows than that as a rule, so the map is tabulated once per column.
    """
    rows, cols = header.shape
    points = np.frombuffer(data, "<u2", 4 * cols).astype(np.float32)
    points = header.minimum + points * header.range / 65535.0
    p0, p25, p75, p100 = points.reshape(cols, 4, 1).transpose(1, 0, 2)
    code = np.arange(256, dtype=np.float32)
    table = np.empty((cols, 256), np.float32)
    table[:, :65] = p0 + (p25 - p0) * code[:65] * (1 / 64.0)
    table[:, 65:193] = p25 + (p75 - p25) * (code[65:193] - 64.0) * (1 / 128.0)
    table[:, 193:] = p75 + (p100 - p75) * (code[193:] - 192.0) * (1 / 63.0)
    codes = np.frombuffer(data, "u1", rows * cols, 8 * cols).reshape(cols, rows)
    places = codes.T + np.arange(0, 256 * cols, 256, dtype=np.int32)
    return table.ravel().take(places)
