"""Crops: colours by the formulas of BT.601, places by hand."""

import numpy as np
import pytest
from video_files import flat

from espnet2_ext.video.crop import crop_square, to_rgb
from espnet2_ext.video.geometry import Square


@pytest.mark.parametrize(
    ("luma", "blue", "red"), [(81, 90, 240), (145, 54, 34), (41, 240, 110), (16, 128, 128), (200, 120, 140)]
)
def test_colours(luma: int, blue: int, red: int) -> None:
    region = flat(luma)
    region[48:60], region[60:] = blue, red
    y, u, v = 255 / 219 * (luma - 16), 255 / 224 * (blue - 128), 255 / 224 * (red - 128)
    expected = np.clip([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], 0, 255)
    np.testing.assert_allclose(to_rgb(region), np.broadcast_to(expected, (48, 64, 3)), atol=1.5)


def test_place_and_size() -> None:
    """A grid of four greys; squares by hand, of the result's size, smaller, larger, and over the edges."""
    region = flat(16)
    region[:24, 32:48], region[24:48, :32], region[24:48, 32:] = 71, 126, 180
    black, dark, bright, light = (round((luma - 16) * 255 / 219) for luma in (16, 71, 126, 180))
    crop = crop_square(region, Square(24, 16, 16), 16)
    expected = np.zeros((16, 16), int)
    expected[:8, 8:], expected[8:, :8], expected[8:, 8:] = dark, bright, light
    assert crop.shape == (16, 16, 3)
    np.testing.assert_allclose(crop, np.repeat(expected[:, :, None], 3, axis=2), atol=1)
    for size in (8, 32):
        corners = crop_square(region, Square(24, 16, 16), size)[:: size - 1, :: size - 1, 0]
        np.testing.assert_allclose(corners, [[black, dark], [bright, light]], atol=1)
    # Half beyond the lower left corner: the outermost pixels go on.
    np.testing.assert_allclose(crop_square(region, Square(-16, 32, 32), 32), bright, atol=1)
