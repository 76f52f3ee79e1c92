"""Mel filter banks and their product with spectra."""

import numpy as np

_SLANEY_HZ_PER_MEL = 200.0 / 3.0
_SLANEY_KNEE_HZ = 1000.0
_SLANEY_KNEE_MEL = _SLANEY_KNEE_HZ / _SLANEY_HZ_PER_MEL
_SLANEY_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(hz: np.ndarray | float, scale: str) -> np.ndarray:
    """Map Hz to mel.

    Args:
        hz: Frequencies in Hz, 0 or more.
        scale: ``slaney`` (linear to 1 kHz, then logarithmic; Slaney's Auditory Toolbox, 1998) or ``htk``
            (2595 log10(1 + f/700), HTK Book, equation 5.13, which is Kaldi's 1127 ln(1 + f/700) within 2e-5).
    """
    hz = np.asarray(hz, np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    above = _SLANEY_KNEE_MEL + np.log(np.maximum(hz, _SLANEY_KNEE_HZ) / _SLANEY_KNEE_HZ) / _SLANEY_LOG_STEP
    return np.where(hz < _SLANEY_KNEE_HZ, hz / _SLANEY_HZ_PER_MEL, above)


def mel_to_hz(mel: np.ndarray | float, scale: str) -> np.ndarray:
    """Invert `hz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    above = _SLANEY_KNEE_HZ * np.exp(_SLANEY_LOG_STEP * (mel - _SLANEY_KNEE_MEL))
    return np.where(mel < _SLANEY_KNEE_MEL, mel * _SLANEY_HZ_PER_MEL, above)


def hz_triangles(
    rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float, scale: str, unit_area: bool
) -> np.ndarray:
    """Return filters that are triangles over Hz, as librosa and torchaudio have them.

    Args:
        rate: Sampling rate in Hz.
        n_fft: Length of the Fourier transform.
        n_mels: Number of filters.
        fmin: Lower edge of the first filter in Hz.
        fmax: Upper edge of the last one in Hz.
        scale: See `hz_to_mel`.
        unit_area: Divide each filter by half its width in Hz (``norm="slaney"``), else each has height 1.

    Returns:
        float64 weights ``(n_fft // 2 + 1, n_mels)``.
    """
    edges = mel_to_hz(np.linspace(hz_to_mel(fmin, scale), hz_to_mel(fmax, scale), n_mels + 2), scale)
    weights = _triangles(np.arange(n_fft // 2 + 1) * (rate / n_fft), edges)
    return weights * (2.0 / (edges[2:] - edges[:-2])) if unit_area else weights


def mel_triangles(rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Return filters that are triangles over mel, as Kaldi has them (`feat/mel-computations.cc`).

    Args and return value are those of `hz_triangles`; the scale is HTK's. Kaldi leaves out the Nyquist bin.
    """
    edges = np.linspace(hz_to_mel(fmin, "htk"), hz_to_mel(fmax, "htk"), n_mels + 2)
    weights = _triangles(hz_to_mel(np.arange(n_fft // 2 + 1) * (rate / n_fft), "htk"), edges)
    weights[-1] = 0.0
    return weights


def _triangles(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return triangles of height 1 between edges i and i + 2 at the given points: ``(points, edges - 2)``."""
    points = points[:, None]
    rising = (points - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - points) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling))


class BandedProduct:
    """Product of spectra with a filter bank, leaving out what is zero.

    A filter covers few bins, so groups of neighbouring filters are multiplied with their own band of bins. With 64
    filters in groups of 16 that is a quarter of the dense product.

    Args:
        weights: Filter bank ``(bins, filters)``.
        group: Filters per group.
    """

    def __init__(self, weights: np.ndarray, group: int = 16) -> None:
        self._parts: list[tuple[slice, slice, np.ndarray]] = []
        for start in range(0, weights.shape[1], group):
            columns = slice(start, min(start + group, weights.shape[1]))
            used = np.flatnonzero(weights[:, columns].any(axis=1))
            band = slice(used[0], used[-1] + 1) if used.size else slice(0, 1)
            self._parts.append((band, columns, np.ascontiguousarray(weights[band, columns], np.float32)))

    def __call__(self, spectra: np.ndarray, out: np.ndarray) -> None:
        """Multiply spectra ``(T, bins)`` into ``out (T, filters)``, both float32."""
        for band, columns, part in self._parts:
            np.matmul(spectra[:, band], part, out=out[:, columns])
