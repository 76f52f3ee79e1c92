"""A trained model on audio files, long ones in windows."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from espnet2_ext.data.crop import CENTRE
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.audio import iter_audio, load_audio
from espnet2_ext.inference.waves import AudioInfo, Notes, audio_info, source_notes

if TYPE_CHECKING:
    from espnet2_ext.inference.mtl_inference import MTLInference

# Longer files are read in windows.
LONG_SECONDS = 30.0
# So much of windows goes through the network at once; feature maps of a minute take a few hundred MB.
_BATCH_SECONDS = 60.0

Result = dict[str, Any] | UserError
Sums = dict[str, np.ndarray]


def predict_files(
    inference: "MTLInference", files: Mapping[str, Path], batch_size: int = 16
) -> Iterator[tuple[str, Result]]:
    """Predict audio files, in their order; one that cannot be read gives its error and does not stop the others.

    A file of over 30 s is read in windows that do not overlap, of the crop's length (or 30 s where whole utterances are
    evaluated), and their predictions are averaged (`notes.windows`); a rest of less than half a window is left out
    (`notes.clipped`). Memory does not grow with the file's length.

    Args:
        inference: The model.
        files: Path by utterance id.
        batch_size: How many files, or windows of a long one, go through the network at once.

    Yields:
        Utterance id, and its record (as `MTLInference.predict_batch`, with the id in `utt`) or its UserError.
    """
    items = list(files.items())
    window, rate = window_seconds(inference), inference.feature.sample_rate
    for start in range(0, len(items), batch_size):
        results: dict[str, Result] = {}
        loaded: dict[str, tuple[np.ndarray, Notes]] = {}
        for utt, path in items[start : start + batch_size]:
            try:
                info = audio_info(path)
                if info.seconds > max(LONG_SECONDS, window):
                    results[utt] = inference.record(utt, *average_windows(inference, path, info, batch_size))
                else:
                    wave, _ = load_audio(path, rate)
                    loaded[utt] = wave, source_notes(info.rate, info.channels, rate)
            except UserError as error:
                results[utt] = error
        results |= _predict_loaded(inference, loaded, files)
        yield from ((utt, results[utt]) for utt, _ in items[start : start + batch_size])


def window_seconds(inference: "MTLInference") -> float:
    """Return the length of the windows of long files."""
    cropped = inference.crop.evaluation == CENTRE and inference.feature.frame_shift > 0
    return inference.crop.frames * inference.feature.frame_shift if cropped else LONG_SECONDS


def average_windows(inference: "MTLInference", path: Path, info: AudioInfo, batch_size: int) -> tuple[Sums, Notes]:
    """Predict a long file window by window.

    Args:
        inference: The model.
        path: The file.
        info: Its header.
        batch_size: Windows that go through the network at once, at most.

    Returns:
        Mean predictions (n_outputs,) by task, and the notes.

    Raises:
        UserError: The file is torn, or a window of it has no finite features.
    """
    rate, shift = inference.feature.sample_rate, inference.feature.frame_shift
    seconds = window_seconds(inference)
    at_once = max(1, min(batch_size, int(_BATCH_SECONDS / seconds)))
    sums: Sums = {}
    pending: list[np.ndarray] = []
    samples = rest = windows = padded = 0
    for wave in iter_audio(path, rate, seconds):
        samples += len(wave)
        if 2 * len(wave) < seconds * rate:
            rest = len(wave)
            continue
        pending.append(wave)
        windows += 1
        if len(pending) == at_once:
            padded += _add(inference, sums, pending, path)
            pending = []
    if pending:
        padded += _add(inference, sums, pending, path)
    frames, clipped = (round(n / (rate * shift)) for n in (samples, rest)) if shift > 0 else (windows, 0)
    notes = {"frames": frames, "clipped": clipped, "padded": padded, "windows": windows}
    notes |= source_notes(info.rate, info.channels, rate)
    return {name: value / windows for name, value in sums.items()}, notes


def _add(inference: "MTLInference", sums: Sums, waves: Sequence[np.ndarray], path: Path) -> int:
    """Add the predictions of windows to the sums; return how many frames were filled up."""
    features = inference.features(waves)
    for feats in features:
        if isinstance(feats, UserError):
            raise UserError(f"{path}: {feats}") from feats
    predictions, notes = inference.predict_features(features)
    for name, value in predictions.items():
        sums[name] = sums.get(name, 0.0) + value.sum(axis=0, dtype=np.float64)
    return sum(note["padded"] for note in notes)


def _predict_loaded(
    inference: "MTLInference", loaded: Mapping[str, tuple[np.ndarray, Notes]], files: Mapping[str, Path]
) -> dict[str, Result]:
    results: dict[str, Result] = {}
    good: dict[str, np.ndarray] = {}
    for utt, feats in zip(loaded, inference.features([wave for wave, _ in loaded.values()]), strict=True):
        if isinstance(feats, UserError):
            results[utt] = UserError(f"{files[utt]}: {feats}")
        else:
            good[utt] = feats
    if not good:
        return results
    predictions, counts = inference.predict_features(list(good.values()))
    for row, utt in enumerate(good):
        try:
            values = {name: value[row] for name, value in predictions.items()}
            results[utt] = inference.record(utt, values, counts[row] | loaded[utt][1])
        except UserError as error:
            results[utt] = error
    return results
