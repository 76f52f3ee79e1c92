"""A trained model on waves."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from espnet2_ext.data.crop import Crop
from espnet2_ext.errors import UserError
from espnet2_ext.feature import AbsFeature
from espnet2_ext.inference.device import check_device
from espnet2_ext.inference.files import predict_files
from espnet2_ext.inference.hub import download
from espnet2_ext.inference.pack import load_model
from espnet2_ext.inference.records import make_record
from espnet2_ext.inference.waves import Notes, as_mono
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel

Predictions = dict[str, np.ndarray]


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
        self._units = {task.name: task.unit for task in model.spec if task.unit}
        self._missing = {"missing": list(model.encoder.streams)} if model.encoder.streams else {}

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        device: str = "cpu",
        weights: str = "valid.score.ave.pth",
        hub: bool = False,
        revision: str | None = None,
    ) -> "MTLInference":
        """Load a trained model.

        Args:
            source: An experiment's directory, a pack (.zip), an unpacked pack; or with `hub` a repository's name.
            device: cpu, cuda, cuda:1, ...; auto is cuda where there is one, else cpu.
            weights: Which of an experiment's models.
            hub: Whether to fetch `source` (org/name) from the Hugging Face hub; else nothing is ever fetched.
            revision: Branch, tag or commit there; None is the newest of its main branch.

        Raises:
            UserError: It is incomplete, torn, of a newer format, its parts do not fit each other, or it takes no audio.
        """
        if revision is not None and not hub:
            raise UserError(f"revision {revision!r}: only a model from the hub has revisions")
        path = download(str(source), revision) if hub else Path(source)
        device = check_device(device)
        model, _, feature, crop = load_model(path, weights, device)
        if not model.encoder.hears:
            raise UserError(f"{source}: takes {', '.join(model.encoder.streams)} and no audio; use a model that does")
        return cls(model, feature, crop, device)

    def __call__(self, speech: np.ndarray, rate: int) -> dict[str, Any]:
        """Predict one utterance; see `predict_batch`."""
        return self.predict_batch([speech], rate)[0]

    def predict_batch(self, speeches: Sequence[np.ndarray], rates: int | Sequence[int]) -> list[dict[str, Any]]:
        """Predict several utterances at once.

        Args:
            speeches: (N,) or (N, channels) each, float in [-1, 1] or integers of any width; channels are averaged.
            rates: Sampling rate in Hz of all, or of each; another one than the features' is resampled.

        Returns:
            For each, by task name: values by dimension, in the task's unit; or `class` and `probabilities`. In `notes`:
            `units` by task where it has one, `frames`, how many of them were `clipped` (cut away) or `padded` (filled),
            and, where it was, what the wave was `resampled_from` (Hz) and `mixed_down_from` (channels); `missing`: what
            else the model would take, such as video.

        Raises:
            UserError: A wave has no sample, is shorter than a frame, or a sample is not finite.
        """
        if isinstance(rates, Sequence) and len(rates) != len(speeches):
            raise UserError(f"{len(rates)} rates for {len(speeches)} waves: give one, or one each")
        each = rates if isinstance(rates, Sequence) else [rates] * len(speeches)
        pairs = [as_mono(speech, rate, self.feature.sample_rate) for speech, rate in zip(speeches, each, strict=True)]
        if not pairs:
            return []
        features = self.features([wave for wave, _ in pairs])
        for number, feats in enumerate(features):
            if isinstance(feats, UserError):
                raise UserError(f"wave {number} of {len(speeches)}: {feats}") from feats
        predictions, counts = self.predict_features(features)
        records = []
        for row, (_, notes) in enumerate(pairs):
            record = self.record("speech", {k: v[row] for k, v in predictions.items()}, counts[row] | notes)
            records.append({key: value for key, value in record.items() if key != "utt"})
        return records

    def predict_files(
        self, files: Mapping[str, Path], batch_size: int = 16
    ) -> Iterator[tuple[str, dict[str, Any] | UserError]]:
        """Predict audio files, in their order; see `espnet2_ext.inference.files.predict_files`."""
        return predict_files(self, files, batch_size)

    def features(self, waves: Sequence[np.ndarray]) -> list[np.ndarray | UserError]:
        """Compute the features (T, D) of float32 mono waves (N,) at the features' rate, by the code of stage 2.

        Returns:
            An error in place of the features of a wave that is shorter than a frame, or whose features are not finite.
        """
        empty = np.empty((0, self.feature.dim), dtype=np.float32)
        audible = [wave for wave in waves if wave.size]
        found = iter(self.feature.extract(audible, self.feature.sample_rate) if audible else [])
        matrices = [next(found) if wave.size else empty for wave in waves]
        return [_problem(matrix) or matrix for matrix in matrices]

    @torch.inference_mode()
    def predict_features(self, features: Sequence[np.ndarray]) -> tuple[Predictions, list[Notes]]:
        """Predict from features (T, D), T >= 1, as stage 7 does.

        Returns:
            Predictions (B, n_outputs) by task, and for each the notes `frames`, `clipped` and `padded`.
        """
        wanted = [self.crop.target_frames(len(feats), train=False) for feats in features]
        batch = np.zeros((len(features), max(wanted), self.feature.dim), dtype=np.float32)
        lengths, notes = [], []
        for row, (feats, frames) in enumerate(zip(features, wanted, strict=True)):
            batch[row, :frames], valid = self.crop.cut(feats, frames, 0.5)
            lengths.append(valid)
            over = len(feats) - frames
            notes.append({"frames": len(feats), "clipped": max(over, 0), "padded": max(-over, 0)})
        whole = min(lengths) == max(wanted)
        outputs = self.model.outputs(
            torch.from_numpy(batch).to(self.device), None if whole else torch.tensor(lengths, device=self.device)
        )
        return {name: value.cpu().numpy() for name, value in self.model.report(outputs).items()}, notes

    def record(self, utt: str, values: Mapping[str, np.ndarray], notes: Notes) -> dict[str, Any]:
        """Return an utterance's predictions (n_outputs,) by task as plain data, with its notes.

        Raises:
            UserError: A prediction is not finite.
        """
        known = {"units": dict(self._units)} | self._missing
        return make_record(self.model.spec, utt, values) | {"notes": known | notes}


def _problem(matrix: np.ndarray) -> UserError | None:
    if len(matrix) == 0:
        return UserError("shorter than one frame of features; give longer audio")
    if not np.isfinite(matrix).all():
        return UserError("its features are not finite; mend the audio")
    return None
