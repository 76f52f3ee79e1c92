"""The recording: a room, background noise, and a level."""

import numpy as np
from scipy.signal import fftconvolve

RATE = 16000
"""Rate of the clips in Hz."""


def add_room(signal: np.ndarray, decay_time: float, direct_ratio: float, rng: np.random.Generator) -> np.ndarray:
    """Convolve with a room: the direct sound and a tail of exponentially decaying noise.

    Args:
        signal: (N,) at RATE.
        decay_time: time in seconds in which the tail falls by 60 dB.
        direct_ratio: energy of the direct sound against the tail, in dB.
        rng: draws the tail.

    Returns:
        (N,), the tail past the end cut off.
    """
    time = np.arange(int(decay_time * RATE)) / RATE
    tail = rng.standard_normal(len(time)) * np.exp(-np.log(1000.0) * time / decay_time)
    tail *= 10.0 ** (-direct_ratio / 20.0) / np.sqrt(np.sum(tail**2))
    # The first 2 ms belong to the direct sound alone.
    tail[: RATE // 500] = 0.0
    tail[0] = 1.0
    return fftconvolve(signal, tail)[: len(signal)]


def add_noise(signal: np.ndarray, ratio: float, pink: bool, rng: np.random.Generator) -> np.ndarray:
    """Add white noise, or pink noise (power falls with 1/f), at a signal-to-noise ratio in dB over (N,)."""
    noise = rng.standard_normal(len(signal))
    if pink:
        spectrum = np.fft.rfft(noise)
        spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0))
        noise = np.fft.irfft(spectrum, len(signal))
    gain = np.sqrt(np.mean(signal**2) / np.mean(noise**2)) * 10.0 ** (-ratio / 20.0)
    return signal + gain * noise


def to_int16(signal: np.ndarray, peak_db: float) -> np.ndarray:
    """Scale (N,) to a peak in dB below full scale (negative, so nothing clips) and round to 16 bit."""
    scaled = signal * (32767.0 * 10.0 ** (peak_db / 20.0) / np.max(np.abs(signal)))
    return np.round(scaled).astype(np.int16)
