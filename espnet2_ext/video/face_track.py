"""One face followed through an utterance, cropped from each frame."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from espnet2_ext.video.crop import crop_square
from espnet2_ext.video.geometry import Square

# Luminance of the region, and where the face was; where it is.
Finder = Callable[[np.ndarray, Square | None], Square | None]


@dataclass(frozen=True)
class TrackOptions:
    """How a face is followed; numbers of frames are at 25 frames per second.

    Attributes:
        size: Pixels of a side of the crops.
        interval: Frames from one detection to the next.
        max_gap: Frames between two detections of a face up to which it counts as seen all the while.
        margin: What is added to the detected square, as a share of it: chin and forehead.
        smoothing: Share of the square before in each new one, 0 to 1; detections tremble.
    """

    size: int = 96
    interval: int = 5
    max_gap: int = 15
    margin: float = 0.3
    smoothing: float = 0.5


class FaceCrops(NamedTuple):
    """Crops of an utterance.

    Attributes:
        pixels: ``(T, size * size * 3)``, uint8, rows of RGB pixels; None without any face.
        repeated: Frames without a face, which repeat another one; T without any face.
        pictures: Frames for which the video has a picture.
    """

    pixels: np.ndarray | None
    repeated: int
    pictures: int


class FaceTrack:
    """Follows a face from frame to frame; at most `max_gap + interval` pictures are held.

    The face is searched every `interval` frames, around its last place for `max_gap` frames, then everywhere. Between
    two detections of it the square is interpolated. A first or last detection also counts for the frames that are
    nearer to it than half an interval. Any other frame is without a face: it repeats the last one that has one, or
    the first where there is none before it.

    Args:
        count: Number of frames T.
        find: Finds the face in a region, such as a `FaceDetector`.
        options: See there.
    """

    def __init__(self, count: int, find: Finder, options: TrackOptions) -> None:
        self._find, self._options = find, options
        self._crops = np.zeros((count, options.size, options.size, 3), np.uint8)
        self._seen = np.zeros(count, bool)
        self._waiting: list[tuple[int, np.ndarray]] = []
        self._last: tuple[int, Square] | None = None
        self._pictures = 0

    def push(self, frame: int, region: np.ndarray | None) -> None:
        """Take the next frame.

        Args:
            frame: Its number, 0 to T - 1, ascending.
            region: Its picture in the layout I420 ``(H * 3 / 2, W)``, or None where the video has none.
        """
        if region is not None:
            self._pictures += 1
            self._waiting.append((frame, region))
        if frame % self._options.interval and frame != len(self._seen) - 1:
            return
        near = self._last[1] if self._last is not None and self._is_recent(frame) else None
        found = None if region is None else self._find(region[: region.shape[0] * 2 // 3], near)
        if found is not None:
            self._meet(frame, found)
        elif near is None:
            self._settle()

    def finish(self) -> FaceCrops:
        """Return the crops of all frames."""
        self._settle()
        repeated = int((~self._seen).sum())
        if repeated == len(self._seen):
            return FaceCrops(None, repeated, self._pictures)
        source = np.maximum.accumulate(np.where(self._seen, np.arange(len(self._seen)), -1))
        source[source < 0] = self._seen.argmax()
        missing = np.flatnonzero(~self._seen)
        self._crops[missing] = self._crops[source[missing]]
        return FaceCrops(self._crops.reshape(len(self._crops), -1), repeated, self._pictures)

    def _is_recent(self, frame: int) -> bool:
        return self._last is not None and frame - self._last[0] <= self._options.max_gap

    def _meet(self, frame: int, found: Square) -> None:
        """Crop the waiting frames up to one in which the face was found."""
        if self._last is not None and self._is_recent(frame):
            begin, before = self._last
            square = found.towards(before, self._options.smoothing)
            for number, region in self._waiting:
                self._crop(number, region, before.towards(square, (number - begin) / (frame - begin)))
            self._waiting.clear()
        else:
            square = found
            self._settle(frame, square)
        self._last = frame, square

    def _settle(self, frame: int | None = None, square: Square | None = None) -> None:
        """Crop the waiting frames that are near to the last detection or to the one given; let go of the others."""
        known = [place for place in (self._last, (frame, square)) if place is not None and place[0] is not None]
        for number, region in self._waiting:
            for begin, place in known:
                if abs(number - begin) <= self._options.interval // 2:
                    self._crop(number, region, place)
        self._waiting.clear()

    def _crop(self, frame: int, region: np.ndarray, square: Square) -> None:
        self._crops[frame] = crop_square(region, square.grown(self._options.margin), self._options.size)
        self._seen[frame] = True
