"""Samples as callers have them, and the lengths of files."""

import os
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr

from espnet2_ext.errors import UserError

# More columns than any recording has: the axes are the wrong way round.
_MOST_CHANNELS = 64

Notes = dict[str, Any]


class AudioInfo(NamedTuple):
    """What a file's header says: length in seconds, sampling rate in Hz, channels."""

    seconds: float
    rate: int
    channels: int


def as_mono(speech: np.ndarray, rate: int, target_rate: int) -> tuple[np.ndarray, Notes]:
    """Turn samples of any type into a float32 mono wave, as `load_audio` does with those of a file.

    Args:
        speech: (N,) or (N, channels): float in [-1, 1], signed integers, or unsigned ones (whose zero is their middle).
        rate: Their sampling rate in Hz.
        target_rate: Wanted rate in Hz.

    Returns:
        (n,) samples in [-1, 1], and the notes of `source_notes`.

    Raises:
        UserError: There is no sample, one is not finite, the shape or the type is another, or the rate is impossible.
    """
    wave = np.asarray(speech)
    if wave.ndim not in (1, 2) or wave.size == 0 or wave.dtype.kind not in "fiu":
        raise UserError(f"speech of shape {wave.shape}, {wave.dtype}: give numbers (N,) or (N, channels) with N > 0")
    if wave.ndim == 2 and wave.shape[1] > _MOST_CHANNELS:
        raise UserError(f"speech of shape {wave.shape}: channels are the last axis; give its transpose")
    if rate < 1:
        raise UserError(f"speech at {rate} Hz: give the rate that it was recorded at")
    notes = source_notes(rate, wave.shape[1] if wave.ndim == 2 else 1, target_rate)
    wave = _scale(wave)
    if not np.isfinite(wave).all():
        raise UserError("speech holds NaN or infinity; mend it")
    if wave.ndim == 2:
        wave = wave.mean(axis=1)
    if rate != target_rate:
        stream = soxr.ResampleStream(rate, target_rate, 1, dtype="float32", quality="HQ")
        wave = stream.resample_chunk(np.ascontiguousarray(wave), last=True)
    return wave, notes


def source_notes(rate: int, channels: int, target_rate: int) -> Notes:
    """Return `resampled_from` (Hz) and `mixed_down_from` (channels), each only where it was done."""
    notes = {"resampled_from": rate} if rate != target_rate else {}
    return notes | ({"mixed_down_from": channels} if channels > 1 else {})


def audio_info(path: str | os.PathLike[str]) -> AudioInfo:
    """Read a header; all zero for what is no audio, which `load_audio` then names."""
    try:
        info = soundfile.info(os.fspath(path))
    except (soundfile.SoundFileError, OSError, ValueError, TypeError):
        # TypeError: a headerless format, for which soundfile asks for rate and channels.
        return AudioInfo(0.0, 0, 0)
    return AudioInfo(info.duration, info.samplerate, info.channels)


def _scale(wave: np.ndarray) -> np.ndarray:
    if wave.dtype.kind == "f":
        return wave.astype(np.float32)
    half = 2.0 ** (8 * wave.dtype.itemsize - 1)
    # Up to 16 bits float32 is exact; wider integers are rounded once.
    exact = wave.astype(np.float32 if wave.dtype.itemsize <= 2 else np.float64)
    return ((exact - half if wave.dtype.kind == "u" else exact) / half).astype(np.float32)
