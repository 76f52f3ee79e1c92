"""A picture to look at: frames with the region that was cropped, and crops beside them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.video.geometry import Region
from espnet2_ext.video.packages import load_package

_FRAME = (288, 192)
_TITLE = 18
_COLOUR = (255, 220, 0)


class Frame(NamedTuple):
    """A frame that is shown whole.

    Attributes:
        title: What stands above it.
        rgb: ``(H, W, 3)``, uint8.
        region: The part of it that was cropped; it is outlined.
    """

    title: str
    rgb: np.ndarray
    region: Region


def write_montage(path: Path, rows: Sequence[tuple[Sequence[Frame], np.ndarray]]) -> None:
    """Write rows of frames, each with crops on its right in two lines, as PNG.

    Args:
        path: The picture.
        rows: Frames, as many in each row, and crops ``(N, S, S, 3)``, uint8.

    Raises:
        UserError: OpenCV is absent, or the disk refuses.
    """
    cv2 = load_package("cv2")
    lines = [[np.concatenate([_frame(frame) for frame in frames], axis=1), _crops(crops)] for frames, crops in rows]
    width = max(sum(part.shape[1] for part in line) for line in lines)
    sheet = np.concatenate([_pad(np.concatenate(line, axis=1), width) for line in lines])
    good, data = cv2.imencode(".png", sheet[:, :, ::-1])
    if not good:
        raise UserError(f"{path}: OpenCV cannot write a PNG; install its wheel from the package index")
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.tobytes())


def _frame(frame: Frame) -> np.ndarray:
    """Return the frame in its size of the montage, the region outlined, the title above."""
    cv2 = load_package("cv2")
    picture = cv2.resize(frame.rgb, _FRAME, interpolation=cv2.INTER_AREA)
    top, bottom, left, right = frame.region.bounds(*picture.shape[:2])
    cv2.rectangle(picture, (left + 1, top + 1), (right - 2, bottom - 2), _COLOUR, 2)
    out = np.zeros((_TITLE + picture.shape[0], picture.shape[1], 3), np.uint8)
    out[_TITLE:] = picture
    cv2.putText(out, frame.title, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return out


def _crops(crops: np.ndarray) -> np.ndarray:
    """Return the crops in two lines, as high as a frame with its title."""
    cv2 = load_package("cv2")
    side = _FRAME[1] // 2
    columns = max(1, (len(crops) + 1) // 2)
    out = np.zeros((_TITLE + _FRAME[1], columns * side, 3), np.uint8)
    for number, crop in enumerate(crops):
        line, column = divmod(number, columns)
        y = _TITLE + line * side
        out[y : y + side, column * side : (column + 1) * side] = cv2.resize(crop, (side, side))
    return out


def _pad(row: np.ndarray, width: int) -> np.ndarray:
    return np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)))
