"""Random reads from an archive, one core: our checked reader against kaldiio, kaldi_native_io and the bare system call.

All figures are taken in turns within one run, from a file in the page cache, in CPU time.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import kaldi_native_io
import kaldiio
import numpy as np
from table import print_rows

from espnet2_ext.fileio.ark import ArkReader, ArkWriter, read_scp

UTTERANCES, SHAPE = 2000, (250, 64)
ROUNDS = 5


def rows() -> list[tuple[str, str]]:
    """Return (what, figure) pairs."""
    with tempfile.TemporaryDirectory() as folder:
        return _plain_rows(Path(folder)) + _compressed_rows(Path(folder))


def _plain_rows(folder: Path) -> list[tuple[str, str]]:
    scp = _write(folder, "plain", None)
    ours, kaldio = ArkReader(scp), kaldiio.load_scp(str(scp))
    handles = kaldiio.load_scp(str(scp), max_cache_fd=4)
    descriptor = os.open(folder / "plain.ark", os.O_RDONLY)
    offsets = {name: entry.offset for name, entry in read_scp(scp).items()}
    size = 15 + 4 * SHAPE[0] * SHAPE[1]

    def bare(name: str) -> np.ndarray:
        return np.frombuffer(os.pread(descriptor, size, offsets[name])[15:], np.float32).reshape(SHAPE)

    def bare_without_copy(name: str) -> np.ndarray:
        return np.frombuffer(os.pread(descriptor, size, offsets[name]), np.uint8)

    with kaldi_native_io.RandomAccessFloatMatrixReader(f"scp:{scp}") as native:
        speeds = _speeds(
            {
                "ours": ours.__getitem__,
                "kaldiio": kaldio.__getitem__,
                "handles": handles.__getitem__,
                "native": native.__getitem__,
                "pread": bare_without_copy,
                "pread, aligned": bare,
            },
            list(offsets),
        )
    first = _first_reads(scp)
    os.close(descriptor)
    return [
        (f"random reads of {SHAPE[0]} x {SHAPE[1]} float32, with all checks", _figure(speeds["ours"], speeds)),
        ("the same, first read of each utterance", _figure(first, speeds)),
        ("kaldiio", _figure(speeds["kaldiio"], speeds)),
        ("kaldiio with kept file handles", _figure(speeds["handles"], speeds)),
        ("kaldi_native_io", _figure(speeds["native"], speeds)),
        ("os.pread alone (no array that a tensor may use)", _figure(speeds["pread"], speeds)),
        ("os.pread, values copied to their place", _figure(speeds["pread, aligned"], speeds)),
    ]


def _compressed_rows(folder: Path) -> list[tuple[str, str]]:
    table = []
    for method, kind in ((2, "CM"), (3, "CM2"), (5, "CM3")):
        scp = _write(folder, kind, method)
        ours, theirs = ArkReader(scp), kaldiio.load_scp(str(scp))
        speeds = _speeds({"ours": ours.__getitem__, "kaldiio": theirs.__getitem__}, list(ours.keys())[:400])
        table.append((f"random reads of compressed matrices ({kind})", _figure(speeds["ours"], speeds)))
    return table


def _write(folder: Path, name: str, compression: int | None) -> Path:
    rng = np.random.default_rng(0)
    with ArkWriter(folder / f"{name}.ark", folder / f"{name}.scp", compression) as writer:
        for number in range(UTTERANCES if compression is None else 400):
            writer.write(f"utt{number:05d}", rng.standard_normal(SHAPE, dtype=np.float32))
    return folder / f"{name}.scp"


def _speeds(readers: dict[str, Callable[[str], np.ndarray]], names: list[str]) -> dict[str, float]:
    """Return the best number of reads per CPU second over the rounds, after a round of warming up."""
    best = dict.fromkeys(readers, 0.0)
    rng = np.random.default_rng(1)
    for warming_up in [True] + [False] * ROUNDS:
        order = [names[i] for i in rng.permutation(len(names))]
        for reader, read in readers.items():
            started = time.process_time()
            for name in order:
                read(name)
            if not warming_up:
                best[reader] = max(best[reader], len(order) / (time.process_time() - started))
    return best


def _first_reads(scp: Path) -> float:
    best = 0.0
    for _ in range(ROUNDS):
        reader = ArkReader(scp)
        names = list(reader.keys())
        started = time.process_time()
        for name in names:
            reader[name]
        best = max(best, len(names) / (time.process_time() - started))
    return best


def _figure(speed: float, speeds: dict[str, float]) -> str:
    return f"{speed:,.0f} per second, {speed / speeds['kaldiio']:.2f}x kaldiio"


if __name__ == "__main__":
    print_rows(rows())
