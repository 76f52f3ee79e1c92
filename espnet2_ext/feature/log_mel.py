"""Log-mel spectrogram in librosa's definition."""

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from espnet2_ext.feature.abs_feature import AbsFeature
from espnet2_ext.feature.mel import hz_triangles
from espnet2_ext.feature.spectral import BlockFilterbank


@dataclasses.dataclass(eq=False)
class LogMel(AbsFeature):
    """Logarithm of ``librosa.feature.melspectrogram``, frames by rows.

    Attributes:
        sample_rate: Sampling rate in Hz.
        n_mels: Number of filters D.
        n_fft: Length of the Fourier transform in samples.
        win_length: Length of the periodic Hann window in samples, at most `n_fft`; the frame is centred in `n_fft`.
        hop_length: Samples from frame to frame.
        fmin: Lower edge of the first filter in Hz.
        fmax: Upper edge of the last filter in Hz, at most half the rate.
        mel_scale: ``slaney`` or ``htk``.
        mel_norm: ``slaney`` (filters of equal area) or ``none`` (of height 1).
        power: 2 (power) or 1 (magnitude).
        center: Frame t is centred at sample t * hop, with half a transform of padding at both ends: T = 1 + N // hop.
            Else frames lie within the signal, and a shorter one has none.
        pad_mode: ``constant`` (zeros, as librosa) or ``reflect`` (as torchaudio).
        log: ``natural``, or ``db`` for 10 log10 (of the power, or of the squared magnitude).
        floor: Least filter output before the logarithm.
    """

    name: ClassVar[str] = "log_mel"
    n_mels: int = 64
    n_fft: int = 512
    win_length: int = 512
    hop_length: int = 160
    fmin: float = 50.0
    fmax: float = 8000.0
    mel_scale: str = "slaney"
    mel_norm: str = "slaney"
    power: float = 2.0
    center: bool = True
    pad_mode: str = "constant"
    log: str = "natural"
    floor: float = 1e-10

    def __post_init__(self) -> None:
        self._check()
        weights = hz_triangles(
            self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax, self.mel_scale, self.mel_norm == "slaney"
        )
        self._require(bool(weights.any(axis=0).all()), f"n_mels {self.n_mels} leaves filters without a bin; lower it")
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.win_length) / self.win_length)
        self._filterbank = BlockFilterbank(window, self.n_fft, self.hop_length, weights, self.power, self._take_log)
        self._padding = self.n_fft // 2 if self.center else 0
        # A shift of the window within the transform changes the phase only, so its zeros are left out.
        self._skip = (self.n_fft - self.win_length) // 2
        self._log_scale = np.float32(20.0 / self.power / np.log(10.0))

    def _check(self) -> None:
        nyquist = self.sample_rate / 2
        self._require(min(self.sample_rate, self.n_mels, self.hop_length) > 0, "sizes must be positive")
        self._require(0 < self.win_length <= self.n_fft, f"win_length {self.win_length} is not in 1..n_fft")
        self._require(
            0 <= self.fmin < self.fmax <= nyquist, f"fmin {self.fmin}, fmax {self.fmax} are not in 0..{nyquist}"
        )
        self._require(self.power in (1, 2), f"power {self.power} is not 1 or 2")
        self._require(self.floor > 0, f"floor {self.floor} is not positive")
        choices = {"mel_scale": ("slaney", "htk"), "mel_norm": ("slaney", "none"), "log": ("natural", "db")}
        for option, values in {**choices, "pad_mode": ("constant", "reflect")}.items():
            value = getattr(self, option)
            self._require(value in values, f"{option} {value!r} is not one of {', '.join(values)}")

    @property
    def dim(self) -> int:
        """Number of filters."""
        return self.n_mels

    @property
    def frame_shift(self) -> float:
        """Seconds from frame to frame."""
        return self.hop_length / self.sample_rate

    @property
    def log_scale(self) -> float:
        """Natural logarithm of powers or magnitudes, or decibels."""
        return 10 / math.log(10) if self.log == "db" else self.power / 2

    def _take_log(self, values: np.ndarray) -> None:
        np.maximum(values, np.float32(self.floor), out=values)
        np.log(values, out=values)
        if self.log == "db":
            values *= self._log_scale

    def _extract(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        signals, counts = [], []
        for wave in waves:
            padded = self._pad(wave)
            signals.append((padded[self._skip :], None))
            counts.append(max(0, 1 + (len(padded) - self.n_fft) // self.hop_length))
        return self._filterbank(signals, counts)

    def _pad(self, wave: np.ndarray) -> np.ndarray:
        if self._padding == 0:
            return np.ascontiguousarray(wave)
        if self.pad_mode == "reflect":
            return np.pad(wave, self._padding, mode="reflect")
        padded = np.zeros(len(wave) + 2 * self._padding, np.float32)
        padded[self._padding : self._padding + len(wave)] = wave
        return padded
