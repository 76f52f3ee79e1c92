"""Noise at a signal-to-noise ratio."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.fft

from espnet2_ext.data.augment.abs_augmentation import AbsWaveAugmentation

# Power falls with frequency to this power: by 0, 3 and 6 dB an octave.
_EXPONENTS = {"white": 0, "pink": 1, "brown": 2}
_LOWEST_HZ = 20.0


@dataclass(frozen=True)
class Noise(AbsWaveAugmentation):
    """Add stationary Gaussian noise. A silent wave stays as it is.

    Attributes:
        min_snr: Least signal-to-noise ratio in dB, of the mean powers over the whole wave.
        max_snr: Largest one; uniform between the two.
        colors: Kinds of noise, each equally likely: white, pink (power by 1/f), brown (by 1/f^2); the last
            two from 20 Hz on, or most of their power would lie below all hearing.
    """

    name: ClassVar[str] = "noise"
    min_snr: float = 10.0
    max_snr: float = 30.0
    colors: Sequence[str] = ("white", "pink", "brown")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._interval("min_snr", "max_snr", 200)
        self._list("colors", ", ".join(_EXPONENTS))
        for color in self.colors:
            self._require(color in _EXPONENTS, f"color {color!r} is not one of {', '.join(_EXPONENTS)}")

    def apply(self, wave: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
        """Return the noisy wave; see the base class."""
        color = self.colors[int(rng.integers(len(self.colors)))]
        snr = rng.uniform(self.min_snr, self.max_snr)
        noise = _colored(len(wave), rate, _EXPONENTS[color], rng)
        power, noise_power = (float(np.dot(x, x)) / len(x) for x in (wave, noise))
        if noise_power == 0:
            return wave.copy()
        return wave + noise * np.float32(np.sqrt(power / noise_power / 10 ** (snr / 10)))


def _colored(length: int, rate: int, exponent: int, rng: np.random.Generator) -> np.ndarray:
    """(N,) float32 Gaussian noise whose power falls with frequency to the given power."""
    if exponent == 0:
        return rng.standard_normal(length, dtype=np.float32)
    padded = scipy.fft.next_fast_len(length, real=True)
    spectrum = scipy.fft.rfft(rng.standard_normal(padded, dtype=np.float32))
    hz = scipy.fft.rfftfreq(padded, 1 / rate)
    lowest = int(np.searchsorted(hz, _LOWEST_HZ))
    spectrum[:lowest] = 0
    spectrum[lowest:] *= (hz[lowest:] ** (-exponent / 2)).astype(np.float32)
    return scipy.fft.irfft(spectrum, padded)[:length]
