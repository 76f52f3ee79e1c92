"""Parts of a picture: the region that shows one person, and the square around a face."""

from typing import NamedTuple


class Region(NamedTuple):
    """A part of a frame, in fractions of its width and height: 0 is left and top, 1 right and bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def bounds(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return top, bottom, left and right in pixels; even, because colour has half the resolution of luminance."""
        vertical = (2 * round(height * edge / 2) for edge in (self.top, self.bottom))
        horizontal = (2 * round(width * edge / 2) for edge in (self.left, self.right))
        top, bottom, left, right = *vertical, *horizontal
        return top, min(bottom, height // 2 * 2), left, min(right, width // 2 * 2)


class Square(NamedTuple):
    """A square in pixels of a region: left edge, top edge, length of a side."""

    x: float
    y: float
    size: float

    def towards(self, other: "Square", share: float) -> "Square":
        """Return the square at a share of the way to another one: 0 is this one, 1 the other."""
        return Square(*(a + share * (b - a) for a, b in zip(self, other, strict=True)))

    def grown(self, share: float) -> "Square":
        """Return the square about the same centre whose side is longer by a share of it."""
        return Square(self.x - share * self.size / 2, self.y - share * self.size / 2, self.size * (1 + share))
