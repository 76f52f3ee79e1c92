"""A signal with the spectrum and dynamics of speech, for comparisons between feature extractors.

Pulses of changing pitch and noise go through three formants that move from vowel to vowel, with pauses between
syllables, and the noise of a room under all of it: no recording is part of the repository.
"""

import numpy as np
from scipy.signal import lfilter

VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))


def speech_like(seconds: float, rate: int = 16000, seed: int = 0) -> np.ndarray:
    """Return float32 samples ``(N,)`` in [-1, 1] on the grid of 16-bit integers."""
    rng = np.random.default_rng(seed)
    parts, length = [], 0
    while length < seconds * rate:
        count = int(rng.uniform(0.12, 0.35) * rate)
        pitch = np.linspace(*rng.uniform(90, 260, 2), count)
        pulses = np.diff(np.floor(np.cumsum(pitch) / rate), prepend=0.0)
        wave = lfilter([1], [1, -0.95], pulses) + 0.02 * rng.standard_normal(count)
        for formant in VOWELS[rng.integers(len(VOWELS))]:
            radius = np.exp(-np.pi * (60 + 0.04 * formant) / rate)
            wave = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * formant / rate), radius**2], wave)
        pause = np.zeros(int(rng.uniform(0, 0.15) * rate))
        parts += [wave / np.abs(wave).max() * np.hanning(count) * rng.uniform(0.05, 0.8), pause]
        length += count + len(pause)
    wave = np.concatenate(parts)[: int(seconds * rate)]
    wave += 0.0005 * rng.standard_normal(len(wave)) + 0.003  # a sound card's offset
    return (np.round(wave * 32767) / 32768).astype(np.float32)
