"""What the augmentations share, and the two kinds that change one utterance."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from espnet2_ext.errors import UserError


@dataclass(frozen=True)
class AbsAugmentation(ABC):
    """A random change of training data; its options are the fields of the data class.

    Attributes:
        name: Name in the training configuration.
        probability: Share of the utterances that it is applied to, in [0, 1].
    """

    name: ClassVar[str]
    probability: float = 1.0

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            UserError: One is impossible.
        """
        self._number("probability", 0, 1)

    def chosen(self, rng: np.random.Generator) -> bool:
        """Draw whether it is applied."""
        return rng.random() < self.probability

    def _require(self, good: bool, what: str) -> None:
        """Raise a UserError about an option unless it is good."""
        if not good:
            raise UserError(f"augment {self.name}: {what}")

    def _number(self, option: str, low: float, high: float) -> None:
        """Check that an option is a number in [low, high]."""
        value = getattr(self, option)
        self._require(is_number(value) and low <= value <= high, f"{option} {value!r} is not in [{low:g}, {high:g}]")

    def _count(self, option: str) -> None:
        """Check that an option is a whole number from 0."""
        value = getattr(self, option)
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        self._require(good, f"{option} {value!r} is not a whole number from 0")

    def _interval(self, low: str, high: str, bound: float) -> None:
        """Check two options that are the ends of an interval, not empty, within [-bound, bound]."""
        self._number(low, -bound, bound)
        self._number(high, -bound, bound)
        ends = getattr(self, low), getattr(self, high)
        self._require(ends[0] <= ends[1], f"{low} {ends[0]!r} is above {high} {ends[1]!r}")

    def _list(self, option: str, what: str) -> None:
        """Check that an option is a list of one or more."""
        value = getattr(self, option)
        self._require(isinstance(value, list | tuple) and len(value) > 0, f"{option} {value!r} is no list of {what}")


class AbsWaveAugmentation(AbsAugmentation):
    """Changes a wave, before features are made of it."""

    @abstractmethod
    def apply(self, wave: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
        """Return a changed copy.

        Args:
            wave: (N,) float32 samples in [-1, 1], N >= 1.
            rate: Sampling rate in Hz.
            rng: Source of all its randomness.

        Returns:
            (M,) float32, M >= 1; it may leave [-1, 1].
        """


class AbsFeatureAugmentation(AbsAugmentation):
    """Changes the features of an utterance after the crop, so in what the network sees.

    Attributes:
        needs_logarithms: Whether it is defined for logarithms of energies only.
    """

    needs_logarithms: ClassVar[bool] = False

    @abstractmethod
    def apply(self, feats: np.ndarray, log_scale: float | None, rng: np.random.Generator) -> np.ndarray:
        """Return a changed copy.

        Args:
            feats: (T, D) float32, T >= 1; all frames are valid.
            log_scale: What the natural logarithm of an energy is multiplied by in these features; None where they are
                no logarithms.
            rng: Source of all its randomness.

        Returns:
            (T, D) float32.
        """


def apply_waves(
    augmentations: Sequence[AbsWaveAugmentation], wave: np.ndarray, rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Apply those that are drawn, in order."""
    for augmentation in augmentations:
        if augmentation.chosen(rng):
            wave = augmentation.apply(wave, rate, rng)
    return wave


def apply_features(
    augmentations: Sequence[AbsFeatureAugmentation],
    feats: np.ndarray,
    log_scale: float | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Apply those that are drawn, in order."""
    for augmentation in augmentations:
        if augmentation.chosen(rng):
            feats = augmentation.apply(feats, log_scale, rng)
    return feats


def is_number(value: Any) -> bool:
    """Whether an option is a number; yaml's true is no 1."""
    return isinstance(value, int | float) and not isinstance(value, bool)
