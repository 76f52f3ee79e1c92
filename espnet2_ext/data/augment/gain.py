"""Another level of the wave."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espnet2_ext.data.augment.abs_augmentation import AbsWaveAugmentation


@dataclass(frozen=True)
class Gain(AbsWaveAugmentation):
    """Multiply the wave; nothing is clipped. `feature_gain` does the same, far cheaper, to log features.

    Attributes:
        min_db: Least gain in dB.
        max_db: Largest gain in dB; uniform between the two.
    """

    name: ClassVar[str] = "gain"
    min_db: float = -10.0
    max_db: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._interval("min_db", "max_db", 100)

    def apply(self, wave: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG002
        """Return the wave at another level; see the base class."""
        return wave * np.float32(10 ** (rng.uniform(self.min_db, self.max_db) / 20))
