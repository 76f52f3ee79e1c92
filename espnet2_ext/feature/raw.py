"""The waveform itself."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from espnet2_ext.feature.abs_feature import AbsFeature


@dataclasses.dataclass(eq=False)
class RawWave(AbsFeature):
    """Samples in [-1, 1] as a matrix ``(N, 1)``: mono at one rate, with random access.

    Attributes:
        sample_rate: Sampling rate in Hz.
        store: `ark`, samples are decoded and resampled once; or `wav`, feats.scp names the audio files, and each is
            decoded whenever it is read.
    """

    name: ClassVar[str] = "raw"
    store: str = "ark"

    def __post_init__(self) -> None:
        self._require(self.sample_rate > 0, f"sample_rate {self.sample_rate} is not positive")
        self._require(self.store in ("ark", "wav"), f"store is ark or wav, not {self.store!r}")

    @property
    def dim(self) -> int:
        """One value per sample."""
        return 1

    @property
    def frame_shift(self) -> float:
        """Seconds from sample to sample."""
        return 1.0 / self.sample_rate

    @property
    def reads_wavs(self) -> bool:
        """Whether `store` is `wav`."""
        return self.store == "wav"

    def _extract(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [wave[:, None] for wave in waves]
