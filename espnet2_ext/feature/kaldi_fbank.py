"""Log filter-bank energies in Kaldi's definition."""

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from espnet2_ext.feature.abs_feature import AbsFeature
from espnet2_ext.feature.mel import mel_triangles
from espnet2_ext.feature.spectral import BlockFilterbank, Frames

# Kaldi works on samples of 16-bit integers.
_SAMPLE_SCALE = 32768.0
_FLOOR = np.float32(np.finfo(np.float32).eps)


@dataclasses.dataclass(eq=False)
class KaldiFbank(AbsFeature):
    """Kaldi's ``compute-fbank-feats`` (`feat/feature-fbank.cc`, `feature-window.cc`) without the energy column.

    Attributes:
        sample_rate: Sampling rate in Hz.
        num_mel_bins: Number of filters D.
        frame_length_ms: Window in milliseconds.
        frame_shift_ms: Milliseconds from frame to frame.
        low_freq: Lower edge of the first filter in Hz.
        high_freq: Upper edge of the last one in Hz; 0 or less counts from half the rate.
        preemphasis: Coefficient in [0, 1].
        window_type: ``povey`` or ``hanning``. Both are 0 at a frame's first sample, which `_prepare` relies on.
        remove_dc_offset: Subtract each frame's mean.
        snip_edges: Frames lie within the signal (a shorter one has none); else T = (N + hop / 2) // hop, mirrored ends.
        dither: Deviation of Gaussian noise in units of a 16-bit step, 0 for none. Unlike Kaldi's, the noise is added to
            the signal, so that overlapping frames share it, and it is the same for every utterance and run.
        use_power: Power spectrum, else magnitude.
    """

    name: ClassVar[str] = "kaldi_fbank"
    num_mel_bins: int = 80
    frame_length_ms: float = 25.0
    frame_shift_ms: float = 10.0
    low_freq: float = 20.0
    high_freq: float = 0.0
    preemphasis: float = 0.97
    window_type: str = "povey"
    remove_dc_offset: bool = True
    snip_edges: bool = True
    dither: float = 0.0
    use_power: bool = True

    def __post_init__(self) -> None:
        self._width = int(self.sample_rate * 0.001 * self.frame_length_ms)
        self._hop = int(self.sample_rate * 0.001 * self.frame_shift_ms)
        nyquist = self.sample_rate / 2
        high = self.high_freq if self.high_freq > 0 else nyquist + self.high_freq
        self._require(self._width > 1 and self._hop > 0, "frame length and shift must be positive")
        self._require(
            0 <= self.low_freq < high <= nyquist, f"low_freq {self.low_freq}, high_freq {high} are not in 0..{nyquist}"
        )
        self._require(0 <= self.preemphasis <= 1, f"preemphasis {self.preemphasis} is not in 0..1")
        self._require(self.dither >= 0, f"dither {self.dither} is negative")
        self._require(self.num_mel_bins > 0, "num_mel_bins must be positive")
        self._window = self._make_window()
        n_fft = 1 << (self._width - 1).bit_length()
        weights = mel_triangles(self.sample_rate, n_fft, self.num_mel_bins, self.low_freq, high)
        self._require(
            bool(weights.any(axis=0).all()), f"num_mel_bins {self.num_mel_bins} leaves filters without a bin; lower it"
        )
        self._filterbank = BlockFilterbank(
            self._window * _SAMPLE_SCALE, n_fft, self._hop, weights, 2.0 if self.use_power else 1.0, self._take_log
        )

    def _make_window(self) -> np.ndarray:
        cosine = np.cos(2 * np.pi * np.arange(self._width) / (self._width - 1))
        self._require(
            self.window_type in ("povey", "hanning"), f"window_type {self.window_type!r} is not povey or hanning"
        )
        return (0.5 - 0.5 * cosine) ** (0.85 if self.window_type == "povey" else 1.0)

    @property
    def dim(self) -> int:
        """Number of filters."""
        return self.num_mel_bins

    @property
    def frame_shift(self) -> float:
        """Seconds from frame to frame."""
        return self._hop / self.sample_rate

    @property
    def log_scale(self) -> float:
        """Natural logarithm of powers or magnitudes."""
        return 1.0 if self.use_power else 0.5

    @staticmethod
    def _take_log(values: np.ndarray) -> None:
        np.maximum(values, _FLOOR, out=values)
        np.log(values, out=values)

    def _extract(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        signals, counts = [], []
        for wave in waves:
            wave, count = self._place(wave)
            signals.append(self._prepare(wave, count))
            counts.append(count)
        return self._filterbank(signals, counts)

    def _place(self, wave: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the signal from the first frame on, and the number of frames."""
        if self.dither:
            noise = np.random.default_rng(0).standard_normal(len(wave), dtype=np.float32)
            wave = wave + noise * np.float32(self.dither / _SAMPLE_SCALE)
        if self.snip_edges:
            return wave, max(0, 1 + (len(wave) - self._width) // self._hop)
        count = (len(wave) + self._hop // 2) // self._hop
        left = self._width // 2 - self._hop // 2
        right = max(0, (count - 1) * self._hop + self._width - left - len(wave))
        return np.pad(wave, (max(0, left), right), mode="symmetric")[max(0, -left) :], count

    def _prepare(self, wave: np.ndarray, count: int) -> Frames:
        """Preemphasise the whole signal and give what each frame's mean leaves of it.

        With mean m, Kaldi's frame is y[k] = (x[k] - m) - a (x[k-1] - m) = (x[k] - a x[k-1]) - (1 - a) m: the first part
        is shared by all frames. Only a frame's first sample differs, where Kaldi takes x[-1] = x[0]; the window is 0
        there.
        """
        offsets = None
        if self.remove_dc_offset and count:
            offsets = self._means(wave, count) * np.float32(1.0 - self.preemphasis)
        if self.preemphasis == 0:
            return wave, offsets
        emphasised = np.empty_like(wave)
        emphasised[0] = wave[0] * np.float32(1.0 - self.preemphasis)
        np.multiply(wave[:-1], np.float32(-self.preemphasis), out=emphasised[1:])
        emphasised[1:] += wave[1:]
        return emphasised, offsets

    def _means(self, wave: np.ndarray, count: int) -> np.ndarray:
        """Return the mean of every frame ``(count,)``, from sums of pieces that frames share."""
        piece = math.gcd(self._width, self._hop)
        pieces = ((count - 1) * self._hop + self._width) // piece
        sums = wave[: pieces * piece].reshape(pieces, piece) @ np.ones(piece, np.float32)
        means = np.zeros(count, np.float32)
        step, last = self._hop // piece, (count - 1) * (self._hop // piece) + 1
        for start in range(self._width // piece):
            means += sums[start : start + last : step]
        means /= np.float32(self._width)
        return means
