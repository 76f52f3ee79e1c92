"""Masks in time and frequency."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espnet2_ext.data.augment.abs_augmentation import AbsFeatureAugmentation

MEAN = "mean"
ZERO = "zero"


@dataclass(frozen=True)
class SpecAugment(AbsFeatureAugmentation):
    """SpecAugment (Park et al., 2019, section 2) without time warping, which the authors found to help least.

    A mask's width is uniform over 0, 1, ..., its largest; its place is uniform over all that fit. Masks may overlap.

    Attributes:
        n_time_masks: Number of masks in time.
        max_time_frames: Largest width of one, in frames (T in the paper).
        max_time_fraction: Largest width as a share of the frames (p in the paper); the smaller of the two holds.
        n_freq_masks: Number of masks in frequency.
        max_freq_bins: Largest width of one, in bins (F in the paper), at most all.
        fill: `mean` fills each bin with its mean over the frames, which is 0 once an utterance is mean-normalised, as
            in the paper; `zero` fills with 0, which is silence in no kind of features.
    """

    name: ClassVar[str] = "spec_augment"
    n_time_masks: int = 2
    max_time_frames: int = 40
    max_time_fraction: float = 0.2
    n_freq_masks: int = 2
    max_freq_bins: int = 8
    fill: str = MEAN

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("n_time_masks", "max_time_frames", "n_freq_masks", "max_freq_bins"):
            self._count(option)
        self._number("max_time_fraction", 0, 1)
        self._require(self.fill in (MEAN, ZERO), f"fill {self.fill!r} is not {MEAN} or {ZERO}")

    def check_bins(self, n_bins: int) -> None:
        """Refuse masks in frequency where there is one bin, as in waves: most utterances would be blanked altogether.

        Raises:
            UserError: They are drawn, and there is one bin.
        """
        masked = self.n_freq_masks > 0 and self.max_freq_bins > 0 and self.probability > 0
        self._require(n_bins > 1 or not masked, "features of one bin have no frequencies to mask; set n_freq_masks: 0")

    def apply(self, feats: np.ndarray, log_scale: float | None, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG002
        """Mask a copy; see the base class."""
        n_frames, n_bins = feats.shape
        filling = feats.mean(axis=0) if self.fill == MEAN else np.zeros(n_bins, feats.dtype)
        masked = feats.copy()
        masks = self.draw(n_frames, n_bins, rng)
        for start, stop in masks[: self.n_time_masks]:
            masked[start:stop] = filling
        for start, stop in masks[self.n_time_masks :]:
            masked[:, start:stop] = filling[start:stop]
        return masked

    def draw(self, n_frames: int, n_bins: int, rng: np.random.Generator) -> np.ndarray:
        """Draw masks: (n_time_masks + n_freq_masks, 2) int64, start and stop of each, those in time first."""
        frames = min(self.max_time_frames, int(self.max_time_fraction * n_frames))
        sizes = [(n_frames, frames)] * self.n_time_masks
        sizes += [(n_bins, min(self.max_freq_bins, n_bins))] * self.n_freq_masks
        return np.array([_mask(size, widest, rng) for size, widest in sizes], dtype=np.int64).reshape(-1, 2)


def _mask(size: int, widest: int, rng: np.random.Generator) -> tuple[int, int]:
    width = int(rng.integers(widest + 1))
    start = int(rng.integers(size - width + 1))
    return start, start + width
