"""Audio files as float32 mono waves at one sampling rate."""

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soundfile

from espnet2_ext.errors import UserError

if TYPE_CHECKING:
    import soxr

# Subtypes whose samples fit 16 bits: reading them as integers is twice as fast and gives the same values.
_INT16_SUBTYPES = frozenset({"PCM_16", "PCM_S8", "PCM_U8"})
_BLOCK_FRAMES = 1 << 16
# libsndfile silently shortens a file whose data chunk is cut off; only its log tells.
_CUT_CHUNK = re.compile(r"^ ?(?:data|SSND|riff) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
_CUT_OGG = "File ended unexpectedly"
# Sizes from here on stand for "unknown": the file was written through a pipe.
_UNKNOWN_SIZE = 0x7FFFF000


class AudioNote(NamedTuple):
    """What had to be changed to get mono at the wanted rate."""

    resampled: bool
    mixed_down: bool


def load_audio(path: str | os.PathLike[str], rate: int) -> tuple[np.ndarray, AudioNote]:
    """Read a whole file (wav, flac, ogg, mp3: what libsndfile reads).

    Args:
        path: Audio file.
        rate: Wanted sampling rate in Hz. Another one is resampled by soxr at its high quality.

    Returns:
        float32 samples of shape ``(N,)`` in [-1, 1], channels averaged; and what was changed.

    Raises:
        UserError: The file is missing, no audio, empty, shorter than its header says, or holds NaN or infinity.
    """
    with _open(path) as file:
        samples = _read(file, file.frames, path)
        if len(samples) != file.frames:
            raise _torn(path, file, len(samples))
        note = AudioNote(file.samplerate != rate, file.channels > 1)
        wave = _mono(samples, path)
        if note.resampled:
            wave = _resampler(file.samplerate, rate).resample_chunk(wave, last=True)
    return wave, note


def iter_audio(path: str | os.PathLike[str], rate: int, block_seconds: float) -> Iterator[np.ndarray]:
    """Read a file of any length in blocks, with memory that does not grow with it.

    Args:
        path: Audio file.
        rate: Wanted sampling rate in Hz.
        block_seconds: Length of a block in seconds.

    Yields:
        float32 samples of shape ``(n,)``, ``n = block_seconds * rate`` but for the last block. Put together they equal
        the samples of `load_audio`; where the rate is kept, to the bit.

    Raises:
        UserError: As `load_audio`, at the block that is bad; or the block is shorter than one sample.
    """
    block = round(block_seconds * rate)
    if block < 1:
        raise UserError(f"{path}: blocks of {block_seconds} s hold no sample; use longer ones")
    with _open(path) as file:
        stream = None if file.samplerate == rate else _resampler(file.samplerate, rate)
        pending: list[np.ndarray] = []
        pending_frames = frames_read = 0
        while frames_read < file.frames:
            samples = _read(file, min(_BLOCK_FRAMES, file.frames - frames_read), path)
            frames_read += len(samples)
            if len(samples) == 0:
                raise _torn(path, file, frames_read)
            wave = _mono(samples, path)
            if stream is not None:
                wave = stream.resample_chunk(wave, last=frames_read == file.frames)
            pending.append(wave)
            pending_frames += len(wave)
            if pending_frames >= block:
                joined = np.concatenate(pending)
                whole = len(joined) // block * block
                for start in range(0, whole, block):
                    yield joined[start : start + block]
                pending, pending_frames = [joined[whole:]], len(joined) - whole
        if pending_frames:
            yield np.concatenate(pending)


def _open(path: str | os.PathLike[str]) -> soundfile.SoundFile:
    """Open a file, or say in one line why not."""
    remedy = "copy it again or remove the utterance"
    if not os.path.isfile(path):
        raise UserError(f"{path}: no such file; mend the path or remove the utterance")
    try:
        file = soundfile.SoundFile(os.fspath(path))
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        # TypeError: a headerless format such as .raw, for which soundfile asks for rate and channels.
        reason = getattr(error, "error_string", str(error)).strip().rstrip(".")
        raise UserError(f"{path}: no readable audio ({reason}); {remedy}") from error
    problem = "holds no sample" if file.frames <= 0 else ""
    log = file.extra_info
    cut = _CUT_CHUNK.search(log)
    if cut and int(cut[2]) < int(cut[1]) < _UNKNOWN_SIZE:
        problem = f"truncated, {cut[2]} of {cut[1]} bytes are there"
    elif _CUT_OGG in log:
        problem = "truncated, its last page is missing"
    if problem:
        file.close()
        raise UserError(f"{path}: {problem}; {remedy}")
    return file


def _read(file: soundfile.SoundFile, frames: int, path: str | os.PathLike[str]) -> np.ndarray:
    """Return up to ``frames`` frames ``(n, channels)`` or ``(n,)``, int16 where that is exact, else float32."""
    dtype = "int16" if file.subtype in _INT16_SUBTYPES else "float32"
    try:
        return file.read(frames, dtype=dtype)
    except (soundfile.LibsndfileError, MemoryError) as error:
        raise UserError(f"{path}: cannot be decoded ({error}); copy it again or remove the utterance") from error


def _mono(samples: np.ndarray, path: str | os.PathLike[str]) -> np.ndarray:
    """Average the channels and scale to [-1, 1]."""
    wave = samples.astype(np.float32) if samples.dtype == np.int16 else samples
    if wave.ndim == 2:
        wave = wave.mean(axis=1)
    if samples.dtype == np.int16:
        wave *= np.float32(1 / 32768)
    elif not np.isfinite(wave).all():
        raise UserError(f"{path}: holds samples that are NaN or infinite; convert it again or remove the utterance")
    return wave


def _torn(path: str | os.PathLike[str], file: soundfile.SoundFile, read: int) -> UserError:
    return UserError(
        f"{path}: truncated, {read} of {file.frames} frames could be read; copy it again or remove the utterance"
    )


def _resampler(source: int, target: int) -> "soxr.ResampleStream":
    # Imported where it is needed: most corpora are at the wanted rate already.
    import soxr

    return soxr.ResampleStream(source, target, 1, dtype="float32", quality="HQ")
