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

    def apply(self, feats: np.ndarray, log_scale: float | None, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG002
        """Mask a copy; see the base class."""
        n_frames, n_bins = feats.shape
        filling = feats.mean(axis=0) if self.fill == MEAN else np.zeros(n_bins, feats.dtype)
        masked = feats.copy()
        widest = min(self.max_time_frames, int(self.max_time_fraction * n_frames))
        for _ in range(self.n_time_masks):
            masked[_mask(n_frames, widest, rng)] = filling
        for _ in range(self.n_freq_masks):
            bins = _mask(n_bins, min(self.max_freq_bins, n_bins), rng)
            masked[:, bins] = filling[bins]
        return masked


def _mask(size: int, widest: int, rng: np.random.Generator) -> slice:
    width = int(rng.integers(widest + 1))
    start = int(rng.integers(size - width + 1))
    return slice(start, start + width)
