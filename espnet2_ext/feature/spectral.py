"""Filter-bank features of many utterances at once, in blocks of frames that stay in the cache."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import as_strided

from espnet2_ext.feature.mel import BandedProduct

# 256 frames of 512 samples are 512 KiB: frames, spectrum and power of a block stay in a core's second-level cache.
_BLOCK_FRAMES = 256

Frames = tuple[np.ndarray, np.ndarray | None]


class BlockFilterbank:
    """Windowed frames -> power spectrum -> filter bank -> logarithm, for frames of many utterances.

    Each utterance is cut into frames by itself; the frames of all are put one after the other into blocks, because
    short utterances one by one would spend their time in calls. scipy's transform is used, not torch's: torch saves
    about 25 us per second of audio, but its import takes 2 s of every job, which pays only above 20 hours per job.

    Args:
        window: ``(W,)`` weights of a frame's samples.
        n_fft: Length of the Fourier transform, at least W.
        hop: Samples from frame to frame.
        weights: Filter bank ``(n_fft // 2 + 1, D)``.
        power: 2 for the power spectrum, 1 for the magnitude spectrum.
        log: Takes the logarithm of filter outputs ``(T, D)`` in place.
    """

    def __init__(
        self,
        window: np.ndarray,
        n_fft: int,
        hop: int,
        weights: np.ndarray,
        power: float,
        log: Callable[[np.ndarray], None],
    ) -> None:
        self._window = window.astype(np.float32)
        self._n_fft, self._hop, self._power, self._log = n_fft, hop, power, log
        self._dim = weights.shape[1]
        self._product = BandedProduct(weights)

    @cached_property
    def _buffers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        bins = self._n_fft // 2 + 1
        # Zeros: samples beyond the window are never written.
        return (
            np.zeros((_BLOCK_FRAMES, self._n_fft), np.float32),
            np.empty((_BLOCK_FRAMES, bins), np.float32),
            np.empty((_BLOCK_FRAMES, bins), np.float32),
        )

    def __call__(self, signals: Sequence[Frames], counts: Sequence[int]) -> list[np.ndarray]:
        """Compute the features of several utterances.

        Args:
            signals: Per utterance its samples, ``(count - 1) * hop + W`` or more, and an offset per frame ``(count,)``
                that is subtracted before the window, or None.
            counts: Frames per utterance.

        Returns:
            float32 arrays ``(count, D)``.
        """
        total = sum(counts)
        out = np.empty((total, self._dim), np.float32)
        frames = self._buffers[0]
        width, filled, written = len(self._window), 0, 0
        for (samples, offsets), count in zip(signals, counts, strict=True):
            step = samples.itemsize
            view = as_strided(samples, (count, width), (self._hop * step, step), writeable=False)
            done = 0
            while done < count:
                take = min(count - done, _BLOCK_FRAMES - filled)
                target = frames[filled : filled + take, :width]
                if offsets is None:
                    np.multiply(view[done : done + take], self._window, out=target)
                else:
                    np.subtract(view[done : done + take], offsets[done : done + take, None], out=target)
                    target *= self._window
                done += take
                filled += take
                if filled == _BLOCK_FRAMES:
                    self._transform(filled, out[written : written + filled])
                    written, filled = written + filled, 0
        if filled:
            self._transform(filled, out[written:])
        # Copies, so that one short utterance that is kept does not keep the whole batch.
        return [part.copy() for part in np.split(out, np.cumsum(counts)[:-1])]

    def _transform(self, count: int, out: np.ndarray) -> None:
        """Turn the first ``count`` windowed frames into features ``out (count, D)``."""
        frames, power, square = (buffer[:count] for buffer in self._buffers)
        spectrum = scipy.fft.rfft(frames, axis=1)
        np.square(spectrum.real, out=power)
        np.square(spectrum.imag, out=square)
        power += square
        if self._power == 1:
            np.sqrt(power, out=power)
        self._product(power, out)
        self._log(out)
