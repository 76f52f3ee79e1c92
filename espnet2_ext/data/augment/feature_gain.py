"""Another level, in log features."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espnet2_ext.data.augment.abs_augmentation import AbsFeatureAugmentation


@dataclass(frozen=True)
class FeatureGain(AbsFeatureAugmentation):
    """Add what a gain of the wave adds to the logarithm of every energy; exact but for energies at the floor.

    Attributes:
        min_db: Least gain in dB.
        max_db: Largest gain in dB; uniform between the two.
    """

    name: ClassVar[str] = "feature_gain"
    needs_logarithms: ClassVar[bool] = True
    min_db: float = -10.0
    max_db: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._interval("min_db", "max_db", 100)

    def apply(self, feats: np.ndarray, log_scale: float | None, rng: np.random.Generator) -> np.ndarray:
        """Return the features of the same sound at another level; see the base class."""
        return feats + np.float32(log_scale * rng.uniform(self.min_db, self.max_db) * math.log(10) / 10)
