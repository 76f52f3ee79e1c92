"""Speed perturbation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espnet2_ext.data.augment.abs_augmentation import AbsWaveAugmentation, is_number


@dataclass(frozen=True)
class Speed(AbsWaveAugmentation):
    """Play the wave faster or slower by resampling it (Ko et al., 2015), as `sox speed` does.

    Tempo, pitch and formants all move by the factor; where a label hangs on them (age, sex), keep factors close to 1.

    Attributes:
        factors: Speeds, each equally likely; 1.1 leaves N / 1.1 samples, 1.0 the wave as it is. In [0.5, 2].
    """

    name: ClassVar[str] = "speed"
    factors: Sequence[float] = (0.9, 1.0, 1.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._list("factors", "speeds")
        for factor in self.factors:
            self._require(is_number(factor) and 0.5 <= factor <= 2, f"factor {factor!r} is not in [0.5, 2]")

    def apply(self, wave: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
        """Return the wave at another speed; see the base class."""
        # Imported where it is needed, as for reading audio.
        import soxr

        factor = float(self.factors[int(rng.integers(len(self.factors)))])
        if factor == 1 or len(wave) < 2:
            return wave.copy()
        return soxr.resample(wave, rate * factor, rate, quality="HQ")
