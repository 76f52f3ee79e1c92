"""The square around a face as a small RGB picture."""

import numpy as np

from espnet2_ext.video.geometry import Square
from espnet2_ext.video.packages import load_package


def to_rgb(region: np.ndarray) -> np.ndarray:
    """Turn planes in the layout I420 ``(H * 3 / 2, W)`` (BT.601, limited range) into RGB ``(H, W, 3)``, uint8."""
    cv2 = load_package("cv2")
    return cv2.cvtColor(region, cv2.COLOR_YUV2RGB_I420)


def crop_square(region: np.ndarray, square: Square, size: int) -> np.ndarray:
    """Return a square of a region as RGB ``(size, size, 3)``, uint8.

    Args:
        region: Planes in the layout I420, ``(H * 3 / 2, W)``.
        square: In pixels of the region; beyond its edges the outermost pixels are repeated.
        size: Pixels of a side of the result.
    """
    cv2 = load_package("cv2")
    rgb = to_rgb(region)
    height, width, _ = rgb.shape
    side = max(1, round(square.size))
    x, y = round(square.x), round(square.y)
    lack = max(0, -x, -y, x + side - width, y + side - height)
    if lack:
        rgb = cv2.copyMakeBorder(rgb, lack, lack, lack, lack, cv2.BORDER_REPLICATE)
        x, y = x + lack, y + lack
    how = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return cv2.resize(rgb[y : y + side, x : x + side], (size, size), interpolation=how)
