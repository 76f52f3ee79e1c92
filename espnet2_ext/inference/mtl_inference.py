"""A trained model on waves and audio files."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import torch

from espnet2_ext.data.crop import CENTRE, Crop
from espnet2_ext.errors import UserError
from espnet2_ext.feature import AbsFeature, build_feature
from espnet2_ext.fileio.audio import iter_audio, load_audio
from espnet2_ext.inference.pack import load_model
from espnet2_ext.inference.records import make_record
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel

# Longer files are read in windows.
LONG_SECONDS = 30.0

Notes = dict[str, Any]


class MTLInference:
    """Predicts from waves, with the features and crops of evaluation in training.

    Args:
        model: The model, in evaluation mode.
        feature: Extractor of its features.
        crop: How utterances are cut.
        device: Where the model is.
    """

    def __init__(self, model: ESPnetMTLModel, feature: AbsFeature, crop: Crop, device: str = "cpu") -> None:
        self.model, self.feature, self.crop, self.device = model, feature, crop, device

    @classmethod
    def from_pretrained(
        cls, source: str | os.PathLike[str], device: str = "cpu", weights: str = "valid.score.ave.pth"
    ) -> "MTLInference":
        """Load an experiment's directory or a pack (.zip); `weights` chooses among a directory's models.

        Raises:
            UserError: It is incomplete, torn, of a newer format, or its parts do not fit each other.
        """
        model, config, feature_conf = load_model(Path(source), weights, device)
        feature = build_feature(**feature_conf)
        if feature.dim != config["input_size"]:
            raise UserError(f"{source}: features of {feature.dim} bins for a model of {config['input_size']}")
        return cls(model, feature, Crop(**config["crop_conf"]), device)

    def __call__(self, speech: np.ndarray, rate: int) -> dict[str, Any]:
        """Predict one utterance.

        Args:
            speech: (N,) or (N, channels), float in [-1, 1] or integers of any width; channels are averaged.
            rate: Sampling rate in Hz; another one than the features' is resampled.

        Returns:
            By task name: values by dimension, in the task's unit; or `class` and `probabilities`. In `notes`: `frames`,
            how many of them were `clipped` (cut away) or `padded` (filled), and whether the wave was resampled and
            mixed down.

        Raises:
            UserError: There is no sample, or one is not finite.
        """
        wave, notes = as_mono(speech, rate, self.feature.sample_rate)
        predictions, counts = self.predict_waves([wave])
        return self._record("speech", {k: v[0] for k, v in predictions.items()}, counts[0] | notes)

    def predict_files(
        self, files: Mapping[str, Path], batch_size: int = 16
    ) -> Iterator[tuple[str, dict[str, Any] | UserError]]:
        """Predict audio files, in their order; one that cannot be read gives its error and does not stop the others.

        A file of over 30 s is read in windows (of the crop's length, or 30 s where whole utterances are evaluated), and
        their predictions are averaged (`notes.windows`); memory does not grow with its length.

        Yields:
            Utterance id, and its record or its UserError.
        """
        items = list(files.items())
        for start in range(0, len(items), batch_size):
            results: dict[str, dict[str, Any] | UserError] = {}
            short: dict[str, tuple[np.ndarray, Notes]] = {}
            for utt, path in items[start : start + batch_size]:
                try:
                    if _seconds(path) > LONG_SECONDS:
                        results[utt] = self._record(utt, *self._average_windows(path))
                    else:
                        wave, note = load_audio(path, self.feature.sample_rate)
                        short[utt] = wave, note._asdict()
                except UserError as error:
                    results[utt] = error
            if short:
                predictions, counts = self.predict_waves([wave for wave, _ in short.values()])
                for row, (utt, (_, notes)) in enumerate(short.items()):
                    values = {name: value[row] for name, value in predictions.items()}
                    results[utt] = self._record(utt, values, counts[row] | notes)
            yield from ((utt, results[utt]) for utt, _ in items[start : start + batch_size])

    @torch.no_grad()
    def predict_waves(self, waves: Sequence[np.ndarray]) -> tuple[dict[str, np.ndarray], list[Notes]]:
        """Predict float32 mono waves (N,) at the features' rate.

        Returns:
            Predictions (B, n_outputs) by task, and each wave's counts of frames, clipped and padded.

        Raises:
            UserError: A wave is too short for one frame.
        """
        features = self.feature.extract(waves, self.feature.sample_rate)
        cut, lengths, notes = [], [], []
        frames = max(self.crop.target_frames(len(feats), train=False) for feats in features)
        for feats in features:
            if len(feats) == 0:
                raise UserError("a wave is too short for one frame of features; give a longer one")
            wanted = self.crop.target_frames(len(feats), train=False)
            piece, valid = self.crop.cut(feats, wanted, 0.5)
            cut.append(np.pad(piece, ((0, frames - len(piece)), (0, 0))))
            lengths.append(valid)
            over = len(feats) - wanted
            notes.append({"frames": len(feats), "clipped": max(over, 0), "padded": max(-over, 0)})
        whole = all(length == frames for length in lengths)
        outputs = self.model.outputs(
            torch.from_numpy(np.stack(cut)).to(self.device),
            None if whole else torch.tensor(lengths, device=self.device),
        )
        return {name: value.cpu().numpy() for name, value in self.model.report(outputs).items()}, notes

    def _average_windows(self, path: Path) -> tuple[dict[str, np.ndarray], Notes]:
        seconds = LONG_SECONDS
        if self.crop.evaluation == CENTRE and self.feature.frame_shift > 0:
            seconds = self.crop.frames * self.feature.frame_shift
        total: dict[str, np.ndarray] = {}
        windows = 0
        for wave in iter_audio(path, self.feature.sample_rate, seconds):
            # What is left at the end counts if it is half a window or more.
            if len(wave) < 0.5 * seconds * self.feature.sample_rate:
                continue
            predictions, _ = self.predict_waves([wave])
            windows += 1
            total = {name: total.get(name, 0.0) + value[0].astype(np.float64) for name, value in predictions.items()}
        return {name: value / windows for name, value in total.items()}, {"windows": windows}

    def _record(self, utt: str, values: Mapping[str, np.ndarray], notes: Notes) -> dict[str, Any]:
        return make_record(self.model.spec, utt, values) | {"notes": notes}


def as_mono(speech: np.ndarray, rate: int, target_rate: int) -> tuple[np.ndarray, Notes]:
    """Turn (N,) or (N, channels) samples of any type into a float32 mono wave at `target_rate` Hz.

    Raises:
        UserError: There is no sample, one is not finite, or the shape is neither.
    """
    wave = np.asarray(speech)
    if wave.ndim not in (1, 2) or wave.size == 0:
        raise UserError(f"speech of shape {wave.shape}: give (N,) or (N, channels) with N > 0")
    if np.issubdtype(wave.dtype, np.integer):
        wave = wave / -float(np.iinfo(wave.dtype).min)
    wave = np.asarray(wave, dtype=np.float32)
    if not np.isfinite(wave).all():
        raise UserError("speech holds NaN or infinity; mend it")
    notes = {"resampled": rate != target_rate, "mixed_down": wave.ndim == 2 and wave.shape[1] > 1}
    if wave.ndim == 2:
        wave = wave.mean(axis=1, dtype=np.float32)
    if rate != target_rate:
        wave = soxr.resample(wave, rate, target_rate, quality="HQ")
    return wave, notes


def _seconds(path: Path) -> float:
    """Length by the file's header; 0 for what is no audio, which load_audio then names."""
    try:
        return soundfile.info(str(path)).duration
    except (soundfile.SoundFileError, OSError, ValueError):
        return 0.0
