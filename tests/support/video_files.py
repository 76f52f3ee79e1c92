"""Videos for tests: losslessly coded, so that every value that comes out is known."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

NTSC = Fraction(30000, 1001)


def flat(luma: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A grey picture in the layout I420, ``(height * 3 / 2, width)``."""
    return np.concatenate([np.full((height, width), luma), np.full((height // 2, width), 128)]).astype(np.uint8)


def write_lossless(path: Path, pictures: Iterable[np.ndarray], rate: Fraction = NTSC) -> Path:
    """Write pictures in the layout I420 with the codec FFV1."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            if number == 0:
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
