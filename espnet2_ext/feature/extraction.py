"""From audio files to an archive: the body of one extraction job."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.feature.abs_feature import AbsFeature
from espnet2_ext.fileio.ark_writer import ArkWriter
from espnet2_ext.fileio.audio import load_audio
from espnet2_ext.fileio.wave_reader import WaveWriter

# About 10 MB of waves, padded copies and features.
_BATCH_SECONDS = 60.0


class Utterance(NamedTuple):
    """One loaded utterance: its id and its samples ``(N,)``."""

    name: str
    wave: np.ndarray


@dataclasses.dataclass
class Extraction:
    """What a job did.

    Attributes:
        frames: Frames T by utterance.
        seconds: Duration in seconds by utterance.
        resampled: Number of files at another rate.
        mixed_down: Number of files with several channels.
        broken: One line by utterance that has no features.
    """

    frames: dict[str, int] = dataclasses.field(default_factory=dict)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    resampled: int = 0
    mixed_down: int = 0
    broken: dict[str, str] = dataclasses.field(default_factory=dict)


def extract_to_ark(
    wavs: Mapping[str, str], feature: AbsFeature, writer: ArkWriter | WaveWriter, progress: Callable[[int], None]
) -> Extraction:
    """Compute the features of all utterances, in order, and write them.

    Args:
        wavs: Path of the audio file by utterance.
        feature: The extractor; files are brought to its rate.
        writer: Open archive, or list of files.
        progress: Called with the number of utterances that are done.

    Returns:
        The counts. A file that is broken or shorter than one frame is listed there, and left out.
    """
    result = Extraction()
    for batch in _batches(_load(wavs, feature.sample_rate, result), feature.sample_rate):
        matrices = feature.extract([utterance.wave for utterance in batch], feature.sample_rate)
        for utterance, matrix in zip(batch, matrices, strict=True):
            problem = _problem(matrix)
            if problem:
                path = wavs[utterance.name]
                result.broken[utterance.name] = f"{path}: {problem}; remove the utterance or mend its audio"
                continue
            writer.write(utterance.name, matrix)
            result.frames[utterance.name] = len(matrix)
            result.seconds[utterance.name] = len(utterance.wave) / feature.sample_rate
        progress(len(result.frames) + len(result.broken))
    return result


def _load(wavs: Mapping[str, str], rate: int, result: Extraction) -> Iterator[Utterance]:
    """Load the files one by one; a broken one goes to ``result``."""
    for name, path in wavs.items():
        try:
            if "|" in path:
                raise UserError(f"{path}: a shell pipe is not run; write its output to a file and name that file")
            wave, note = load_audio(path, rate)
        except UserError as error:
            result.broken[name] = str(error)
            continue
        result.resampled += note.resampled
        result.mixed_down += note.mixed_down
        yield Utterance(name, wave)


def _batches(utterances: Iterator[Utterance], rate: int) -> Iterator[list[Utterance]]:
    """Group utterances so that a batch holds about a minute; a longer one stands alone."""
    batch: list[Utterance] = []
    samples = 0
    for utterance in utterances:
        batch.append(utterance)
        samples += len(utterance.wave)
        if samples >= _BATCH_SECONDS * rate:
            yield batch
            batch, samples = [], 0
    if batch:
        yield batch


def _problem(matrix: np.ndarray) -> str:
    if len(matrix) == 0:
        return "shorter than one frame"
    if not np.isfinite(matrix).all():
        return "its features are not finite"
    return ""
