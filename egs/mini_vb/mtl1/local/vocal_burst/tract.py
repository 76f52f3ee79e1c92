"""The vocal tract: a cascade of resonators that glides from one vowel to another."""

from collections.abc import Sequence

import numpy as np
from scipy.signal import sosfilt

UPPER_FORMANTS: tuple[float, ...] = (2700.0, 3600.0, 4500.0, 5400.0, 6300.0)
"""Third to seventh formant in Hz, in a tract of neutral length. The cascade needs them up to the Nyquist rate, or the
spectrum falls too fast above the second."""

BANDWIDTHS: tuple[float, ...] = (80.0, 100.0, 140.0, 200.0, 260.0, 320.0, 380.0)
"""Bandwidths of the seven formants in Hz."""


def formants(vowel: tuple[float, float], accent: tuple[float, float], scale: float) -> tuple[float, ...]:
    """Frequencies in Hz of seven formants.

    Args:
        vowel: first and second formant in Hz in a tract of neutral length.
        accent: factors on the first and second formant.
        scale: factor on all formants; above 1 for a short tract.
    """
    lower = [frequency * factor for frequency, factor in zip(vowel, accent, strict=True)]
    return tuple(scale * frequency for frequency in (*lower, *UPPER_FORMANTS))


def resonate(signal: np.ndarray, frequencies: Sequence[float], rate: int) -> np.ndarray:
    """Filter (N,) by two-pole resonators in cascade, each with gain 1 at 0 Hz (Klatt, 1980)."""
    sections = np.zeros((len(frequencies), 6))
    for row, frequency, bandwidth in zip(sections, frequencies, BANDWIDTHS, strict=True):
        radius = np.exp(-np.pi * bandwidth / rate)
        second, third = -2.0 * radius * np.cos(2.0 * np.pi * frequency / rate), radius**2
        row[:] = 1.0 + second + third, 0.0, 0.0, 1.0, second, third
    return sosfilt(sections, signal)


def glide(signal: np.ndarray, start: Sequence[float], stop: Sequence[float], rate: int) -> np.ndarray:
    """Filter (N,) by a tract that moves from the formants `start` to `stop` (Hz), by cross-fading both outputs."""
    weight = np.linspace(0.0, 1.0, len(signal))
    return (1.0 - weight) * resonate(signal, start, rate) + weight * resonate(signal, stop, rate)
