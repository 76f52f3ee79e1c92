"""The detector on the portrait that Matplotlib ships: places read off the picture."""

import numpy as np
import pytest
from iemocap_miniature import portraits

from espnet2_ext.video.face_detector import FaceDetector
from espnet2_ext.video.geometry import Square

# In the portrait of 256 x 300: the nose, and the width of the face at the cheeks.
NOSE = (128, 112)
WIDTH = (75, 130)


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


def scene(x: int, y: int, gender: str = "F") -> np.ndarray:
    """Luminance of half a frame, ``(480, 360)``, with the portrait at a place."""
    picture = np.full((480, 360), 96, np.uint8)
    grey = portraits()[gender] @ np.array([0.299, 0.587, 0.114])
    picture[y : y + 300, x : x + 256] = grey.astype(np.uint8)
    return picture


@pytest.mark.parametrize("gender", ["F", "M"])
@pytest.mark.parametrize(("x", "y"), [(50, 90), (10, 150), (95, 20)])
def test_where_and_how_large(detector: FaceDetector, gender: str, x: int, y: int) -> None:
    found = detector(scene(x, y, gender))
    assert found is not None
    assert WIDTH[0] < found.size < WIDTH[1]
    assert (found.x + found.size / 2, found.y + found.size / 2) == pytest.approx((x + NOSE[0], y + NOSE[1]), abs=20)
    # The same from a guess that is some way off.
    again = detector(scene(x, y, gender), Square(found.x + 25, found.y - 20, found.size * 1.2))
    assert again is not None
    assert again == pytest.approx(found, abs=12)


def test_no_face(detector: FaceDetector) -> None:
    assert detector(np.full((480, 360), 96, np.uint8)) is None
    # It is only searched near the place where it was.
    assert detector(scene(95, 170), Square(0, 0, 60)) is None
