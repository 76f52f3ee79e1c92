"""Streaming decoding of a video file through PyAV, which carries FFmpeg in its wheel."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.video.geometry import Region
from espnet2_ext.video.packages import load_package

if TYPE_CHECKING:
    import av

_FORMAT = "yuv420p"
# A file that ends so many seconds before its header says so was cut off; a few frames are no matter.
_TORN = 1.0


class VideoError(UserError):
    """A video is missing or cannot be decoded; nothing is wrong with any other file."""


class Picture(NamedTuple):
    """One frame of a video.

    Attributes:
        time: Seconds since the first frame.
        luma: Luminance ``(H, W)``, uint8.
        blue: Blue difference ``(ceil(H / 2), ceil(W / 2))``, uint8.
        red: Red difference, of the same shape.
    """

    time: float
    luma: np.ndarray
    blue: np.ndarray
    red: np.ndarray

    def cut(self, region: Region) -> np.ndarray:
        """Copy a region out.

        Returns:
            Planes of luminance, blue and red difference one below the other as ``(H * 3 / 2, W)``, uint8: the layout
            I420; H and W, those of the region, are even.
        """
        top, bottom, left, right = region.bounds(*self.luma.shape)
        height, width = bottom - top, right - left
        out = np.empty(height * width * 3 // 2, np.uint8)
        half = np.s_[top // 2 : bottom // 2, left // 2 : right // 2]
        ends = height * width, height * width * 5 // 4
        out[: ends[0]].reshape(height, width)[:] = self.luma[top:bottom, left:right]
        out[ends[0] : ends[1]].reshape(height // 2, width // 2)[:] = self.blue[half]
        out[ends[1] :].reshape(height // 2, width // 2)[:] = self.red[half]
        return out.reshape(height * 3 // 2, width)


def decode(path: Path) -> Iterator[Picture]:
    """Yield the frames of a file's first video stream in order of time; one frame is held at a time.

    Times count from the first frame, because containers without presentation times (AVI) may start later by the
    codec's delay. A frame that is not later than the one before it is left out.

    Raises:
        UserError: PyAV is absent.
        VideoError: The file is missing, is no video, cannot be decoded or has no time stamps; or, where all frames are
            asked for, it ends before its header says so.
    """
    pyav = load_package("av")
    if not path.is_file():
        raise VideoError(f"{path}: no such file; copy the video again, or leave its utterances out")
    first = last = None
    try:
        with pyav.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError(f"{path}: holds no video; copy it again, or leave its utterances out")
            stream = container.streams.video[0]
            # A job is one core.
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                if frame.time is None:
                    raise VideoError(f"{path}: has no time stamps; write it into another container, such as mp4")
                first = frame.time if first is None else first
                if last is None or frame.time > last:
                    last = frame.time
                    yield _picture(frame, last - first)
            # FFmpeg reads a file that was cut off to where it ends, without a word.
            declared = _declared_seconds(stream)
    except pyav.FFmpegError as error:
        raise VideoError(
            f"{path}: cannot be decoded ({error.strerror}); copy it again, or leave its utterances out"
        ) from error
    if first is None:
        raise VideoError(f"{path}: holds no frame; copy it again, or leave its utterances out")
    if last - first + _TORN < declared:
        there = f"{last - first:.1f} of {declared:.1f} s"
        raise VideoError(f"{path}: torn, {there} are there; copy it again, or leave its utterances out")


def _declared_seconds(stream: "av.VideoStream") -> float:
    """Return the length that a file's header tells; 0 where it does not tell."""
    return float(stream.frames / stream.average_rate) if stream.frames and stream.average_rate else 0.0


def _picture(frame: "av.VideoFrame", time: float) -> Picture:
    """Return views of a frame's planes, which keep it in memory; lines are longer than the picture is wide."""
    frame = frame if frame.format.name == _FORMAT else frame.reformat(format=_FORMAT)
    planes = (
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in frame.planes
    )
    return Picture(time, *planes)
