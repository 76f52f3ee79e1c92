"""Mixtures of two utterances."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from espnet2_ext.data.augment.abs_augmentation import AbsAugmentation

FEATURES = "features"
LINEAR = "linear"


@dataclass(frozen=True)
class Mixup(AbsAugmentation):
    """mixup (Zhang et al., 2018): x = w a + (1 - w) b, and the labels likewise, w from Beta(alpha, alpha).

    Deviations: each utterance draws its own weight and its partner from the whole set, so that an utterance's mixture
    does not depend on the batch it is in. The weights of a and b are exchangeable, as in the paper.

    Attributes:
        alpha: Of the beta distribution; small ones leave most mixtures close to one of the two.
        domain: `features` mixes the features as they are; `linear` mixes the energies of log features, as two sounds
            that play together do.
    """

    name: ClassVar[str] = "mixup"
    alpha: float = 0.2
    domain: str = FEATURES

    def __post_init__(self) -> None:
        super().__post_init__()
        self._number("alpha", 1e-3, 1e3)
        self._require(self.domain in (FEATURES, LINEAR), f"domain {self.domain!r} is not {FEATURES} or {LINEAR}")

    @property
    def needs_logarithms(self) -> bool:
        """Whether it is defined for logarithms of energies only."""
        return self.domain == LINEAR

    def weight(self, rng: np.random.Generator) -> float:
        """Draw the weight w of the first utterance, in [0, 1]."""
        return float(rng.beta(self.alpha, self.alpha))

    def mix(self, first: np.ndarray, second: np.ndarray, weight: float, log_scale: float | None) -> np.ndarray:
        """Mix the features of two utterances.

        Args:
            first: (T, D) float32.
            second: (T, D) float32.
            weight: Of the first, in [0, 1].
            log_scale: What the natural logarithm of an energy is multiplied by in these features; `linear` needs it.

        Returns:
            (T, D) float32.
        """
        if self.domain == FEATURES or weight in (0, 1):
            return np.float32(weight) * first + np.float32(1 - weight) * second
        scale = np.float32(log_scale)
        one, two = (x / scale + np.float32(np.log(w)) for x, w in ((first, weight), (second, 1 - weight)))
        # numpy's logaddexp, which is four times as slow for it goes value by value.
        return scale * (np.maximum(one, two) + np.log(1 + np.exp(-np.abs(one - two))))
