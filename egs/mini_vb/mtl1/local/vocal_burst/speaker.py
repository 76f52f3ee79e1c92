"""Speakers: age sets pitch, length of the vocal tract, jitter and shimmer; country sets the vowels."""

from dataclasses import dataclass

import numpy as np

AGES: tuple[float, float] = (20.0, 40.0)
"""Range of the speakers' ages, in years."""

VOWELS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "Norland": ((370.0, 2050.0), (470.0, 1850.0)),
    "Ostia": ((430.0, 1000.0), (520.0, 1200.0)),
    "Sudria": ((790.0, 1250.0), (720.0, 1450.0)),
    "Vestia": ((530.0, 1450.0), (590.0, 1650.0)),
}
"""By country (invented): first and second formant, in Hz, of its two vowels in a tract of neutral length."""

COUNTRIES: tuple[str, ...] = tuple(VOWELS)


@dataclass(frozen=True)
class Speaker:
    """What is constant in one speaker's voice.

    Attributes:
        name: speaker identifier, the prefix of the utterance identifiers.
        split: train, dev or test.
        age: in years, within AGES.
        country: one of COUNTRIES.
        pitch: neutral fundamental frequency in Hz; falls with age.
        tract_scale: factor on all formant frequencies; falls with age (longer tract).
        jitter: standard deviation of the relative period perturbation; grows with age.
        shimmer: standard deviation of the relative amplitude perturbation; grows with age.
        accent: factors on the first and second formant, the speaker's own way of saying the country's vowels.
    """

    name: str
    split: str
    age: float
    country: str
    pitch: float
    tract_scale: float
    jitter: float
    shimmer: float
    accent: tuple[float, float]


def sample_speaker(rng: np.random.Generator, name: str, split: str, age: float, country: str) -> Speaker:
    """Draw a voice for an age and a country.

    The individual scatter keeps age from being read off any single cue: at 30 years, one standard
    deviation is worth 2.7 years of pitch, 1.3 of formants, 2.3 of jitter and 2.4 of shimmer.
    """
    old = (age - AGES[0]) / (AGES[1] - AGES[0])
    return Speaker(
        name=name,
        split=split,
        age=age,
        country=country,
        pitch=250.0 * 2.0 ** ((-6.0 * old + 0.8 * rng.standard_normal()) / 12.0),
        tract_scale=(1.16 - 0.30 * old) * (1.0 + 0.02 * rng.standard_normal()),
        jitter=(0.002 + 0.024 * old) * np.exp(0.2 * rng.standard_normal()),
        shimmer=(0.02 + 0.22 * old) * np.exp(0.2 * rng.standard_normal()),
        accent=(1.0 + 0.05 * rng.standard_normal(), 1.0 + 0.05 * rng.standard_normal()),
    )
