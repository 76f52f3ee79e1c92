"""Cutting utterances to one length, and filling up short ones."""

from dataclasses import dataclass

import numpy as np

REPEAT = "repeat"
ZERO = "zero"
CENTRE = "centre"
WHOLE = "whole"


@dataclass(frozen=True)
class Crop:
    """How utterances become fixed-size batches.

    Attributes:
        frames: Frames of a crop (250 at a shift of 10 ms are 2.5 s).
        padding: `repeat` fills a short utterance by repeating it; `zero` by frames that the model leaves out.
        evaluation: `centre` takes the middle `frames`; `whole` takes all frames, and the model pools over them.
        min_frames: Shortest utterance in `whole`, filled up as `padding` says, so that all pooling layers have input.
        align: Crops start at a multiple of this many frames: of samples, so many as a frame of video has.
    """

    frames: int = 250
    padding: str = REPEAT
    evaluation: str = CENTRE
    min_frames: int = 64
    align: int = 1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: One is impossible.
        """
        for name in ("frames", "min_frames", "align"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"crop: {name} is a whole number from 1, not {value!r}")
        if self.padding not in (REPEAT, ZERO):
            raise ValueError(f"crop: padding is {REPEAT} or {ZERO}, not {self.padding!r}")
        if self.evaluation not in (CENTRE, WHOLE):
            raise ValueError(f"crop: evaluation is {CENTRE} or {WHOLE}, not {self.evaluation!r}")

    def target_frames(self, n_frames: int, train: bool) -> int:
        """Frames that an utterance of `n_frames` takes in a batch."""
        if train or self.evaluation == CENTRE:
            return self.frames
        return max(n_frames, self.min_frames)

    def cut(self, feats: np.ndarray, frames: int, position: float) -> tuple[np.ndarray, int]:
        """Cut or fill (T, D) features to (frames, D).

        Args:
            feats: (T, D), T >= 1.
            frames: Frames wanted.
            position: Where to cut, in [0, 1): 0 is the start; 0.5 the centre.

        Returns:
            (frames, D) features and the number of valid frames among them.
        """
        total = len(feats)
        if total >= frames:
            start = self._start(total, frames, position)
            return feats[start : start + frames], frames
        if self.padding == REPEAT:
            return np.resize(feats, (frames, feats.shape[1])), frames
        filled = np.zeros((frames, feats.shape[1]), dtype=feats.dtype)
        filled[:total] = feats
        return filled, total

    def stream_rows(self, total: int, frames: int, position: float, hop: int) -> np.ndarray:
        """Find the rows of a slower stream that belong to what `cut` gives: each is that of its span's first frame.

        Args:
            total: Frames of the utterance, before it is cut or filled.
            frames: Frames wanted, as for `cut`.
            position: As for `cut`.
            hop: Frames of one row of the stream; `align` is a multiple of it.

        Returns:
            (n,) row numbers, n = ceil(frames / hop), or fewer where the rest is filled with zeros.
        """
        first = np.arange(0, frames, hop)
        if total >= frames:
            first = first + self._start(total, frames, position)
        elif self.padding == REPEAT:
            first = first % total
        else:
            first = first[first < total]
        return first // hop

    def _start(self, total: int, frames: int, position: float) -> int:
        return int(position * ((total - frames) // self.align + 1)) * self.align
