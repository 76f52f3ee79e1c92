"""The sound source: glottal pulses with jitter, shimmer and subharmonics, and breath noise."""

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

RATE = 32000
"""Rate of the synthesis in Hz, twice that of the clips, so that the pulses' sharp closures hardly alias."""


def glottal_source(
    pitch: np.ndarray,
    jitter: float,
    shimmer: float,
    roughness: float,
    effort: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Synthesise the derivative of the glottal flow.

    The pulse is the KLGLOTT88 polynomial (Klatt and Klatt, 1990): 2x - 3x^2 within the open phase, 0 after it.

    Args:
        pitch: (N,) fundamental frequency in Hz at RATE.
        jitter: standard deviation of the relative perturbation of periods.
        shimmer: standard deviation of the relative perturbation of amplitudes.
        roughness: in [0, 1]; every second period is weakened by up to 80 % and lengthened
            (subharmonics), and up to 8 % of jitter is added.
        effort: in [-1, 1]; shortens the open phase and moves the spectral tilt's corner from 500 to 8000 Hz.
        rng: draws the perturbations.

    Returns:
        (N,) source signal with root mean square 1.
    """
    count = int(np.sum(pitch) / RATE * 1.5) + 8
    odd = np.arange(count) % 2
    jitter = np.hypot(jitter, 0.08 * roughness)
    speed = (1.0 + jitter * rng.standard_normal(count)) * (1.0 - 0.05 * roughness * odd)
    level = (1.0 + shimmer * rng.standard_normal(count)) * (1.0 - 0.8 * roughness * odd)
    cycle = np.minimum(np.cumsum(pitch / RATE).astype(np.int64), count - 1)
    phase = np.cumsum(pitch / RATE * np.clip(speed, 0.5, 1.5)[cycle])
    cycle = np.minimum(phase.astype(np.int64), count - 1)
    place = (phase - np.floor(phase)) / (0.65 - 0.15 * effort)
    pulse = np.where(place < 1.0, place * (2.0 - 3.0 * place), 0.0) * np.clip(level, 0.0, 2.0)[cycle]
    pole = np.exp(-2.0 * np.pi * 2000.0 * 4.0**effort / RATE)
    return _unit_rms(lfilter([1.0 - pole], [1.0, -pole], pulse))


def breath_source(samples: int, band: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Band-limited Gaussian noise at RATE, (N,), root mean square 1; `band` in Hz."""
    sections = butter(2, band, btype="bandpass", fs=RATE, output="sos")
    return _unit_rms(sosfilt(sections, rng.standard_normal(samples)))


def murmur(signal: np.ndarray) -> np.ndarray:
    """Close the mouth: (N,) at RATE with the sound above 600 Hz taken off by 6 dB per octave."""
    pole = np.exp(-2.0 * np.pi * 600.0 / RATE)
    return lfilter([1.0 - pole], [1.0, -pole], signal)


def _unit_rms(signal: np.ndarray) -> np.ndarray:
    """Scale to root mean square 1."""
    return signal / (np.sqrt(np.mean(signal**2)) + 1e-12)
