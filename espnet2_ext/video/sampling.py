"""Frames of a video at the rate of the audio frames, chosen by their time stamps."""

import math
from collections.abc import Iterable, Iterator, Sequence

from espnet2_ext.video.decode import Picture

# Audio frames of 40 ms: video frame i covers the samples 640 i to 640 (i + 1) at 16 kHz.
FRAME_RATE = 25
# Times are written to the microsecond; a sample at 16 kHz is 1 / 640 of a frame.
_ROUNDING = 1e-4
# Beyond this the nearest frame is of another moment: the video has a hole or has ended.
_FARTHEST = 0.1


def frame_count(seconds: float) -> int:
    """Return the number of video frames of an utterance: its audio samples at 16 kHz divided by 640, rounded up."""
    return math.ceil(seconds * FRAME_RATE - _ROUNDING)


def middle_time(start: float, frame: int) -> float:
    """Return the time in seconds in the video at the middle of an audio frame of an utterance that starts there."""
    return start + (frame + 0.5) / FRAME_RATE


def nearest(pictures: Iterable[Picture], times: Sequence[float]) -> Iterator[Picture | None]:
    """Yield for each time the picture whose time stamp is nearest, the earlier of two; two pictures are held.

    Args:
        pictures: In order of time.
        times: Seconds, ascending.

    Yields:
        The picture, or None where none is within 0.1 s.
    """
    stream = iter(pictures)
    before, after = None, next(stream, None)
    for time in times:
        while after is not None and after.time < time:
            before, after = after, next(stream, None)
        candidates = [picture for picture in (before, after) if picture is not None]
        best = min(candidates, key=lambda picture: abs(picture.time - time), default=None)
        yield best if best is not None and abs(best.time - time) <= _FARTHEST else None
