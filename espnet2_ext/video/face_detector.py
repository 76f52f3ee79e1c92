"""Frontal faces by the cascade of boosted Haar features that OpenCV ships (Viola and Jones, 2001; Lienhart, 2002)."""

from pathlib import Path

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.video.geometry import Square
from espnet2_ext.video.packages import load_package

_CASCADE = "haarcascade_frontalface_alt2.xml"
# Faces are searched in a picture of this height, which is enough for one person from head to hips.
_HEIGHT = 320
# The least face, as a share of the region's height.
_LEAST = 0.07
_PYRAMID_STEP = 1.15
_NEIGHBOURS = 4
# Around a known face: how far it may have moved, in its own size, and how its size may have changed.
_REACH = 1.0
_SMALLER, _LARGER = 0.7, 1.45


class FaceDetector:
    """Finds one face in a region that shows one person.

    Raises:
        UserError: OpenCV is absent, or a release without cascades (5 and later) is installed.
    """

    def __init__(self) -> None:
        self._cv2 = load_package("cv2")
        path = Path(self._cv2.data.haarcascades) / _CASCADE
        if not path.is_file() or not hasattr(self._cv2, "CascadeClassifier"):
            raise UserError(
                f"OpenCV {self._cv2.__version__} comes without {_CASCADE}; run tools/install.sh --extras video"
            )
        self._cv2.setNumThreads(1)
        self._cascade = self._cv2.CascadeClassifier(str(path))

    def __call__(self, luma: np.ndarray, near: Square | None = None) -> Square | None:
        """Return the largest face.

        Args:
            luma: Luminance of the region ``(H, W)``, uint8.
            near: Where the face was; only around it is searched, for a face of about its size.
        """
        scale = min(1.0, _HEIGHT / luma.shape[0])
        least, most, left, top = _LEAST * luma.shape[0], float(min(luma.shape)), 0, 0
        if near is not None:
            left, top = (max(0, round(edge - _REACH * near.size)) for edge in near[:2])
            right, bottom = (round(edge + (1 + _REACH) * near.size) for edge in near[:2])
            luma = luma[top:bottom, left:right]
            least, most = max(least, _SMALLER * near.size), _LARGER * near.size
        if min(luma.shape) * scale < 2:
            return None
        shape = tuple(max(1, round(edge * scale)) for edge in luma.shape[::-1])
        small = self._cv2.resize(luma, shape, interpolation=self._cv2.INTER_AREA)
        faces = self._cascade.detectMultiScale(
            small, _PYRAMID_STEP, _NEIGHBOURS, minSize=(round(least * scale),) * 2, maxSize=(round(most * scale),) * 2
        )
        if len(faces) == 0:
            return None
        x, y, size, _ = max(faces, key=lambda face: face[2])
        return Square(left + x / scale, top + y / scale, size / scale)
