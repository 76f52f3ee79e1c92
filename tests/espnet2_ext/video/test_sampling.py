"""Which frame of the video belongs to which 40 ms of audio: against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from espnet2_ext.video.decode import Picture
from espnet2_ext.video.sampling import frame_count, middle_time, nearest

NOTHING = np.zeros((2, 2), np.uint8)


def pictures(times: list[float]) -> list[Picture]:
    return [Picture(time, NOTHING, NOTHING, NOTHING) for time in times]


@pytest.mark.parametrize(
    ("samples", "frames"), [(1, 1), (639, 1), (640, 1), (641, 2), (96000, 150), (96001, 151), (16000 * 34, 850)]
)
def test_number_of_frames(samples: int, frames: int) -> None:
    assert frame_count(samples / 16000) == frames
    # Times are written to a millionth of a second.
    for start in (0, 141.2348, 298.0001):
        begin, end = round(start, 6), round(start + samples / 16000, 6)
        assert frame_count(end - begin) == frames


@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 3), Fraction(62345, 10000)])
def test_nearest_frame_of_ntsc_video(start: Fraction) -> None:
    rate = Fraction(30000, 1001)
    # A middle of an audio frame is never as far from two of these video frames.
    expected = [round((start + Fraction(2 * i + 1, 50)) * rate) for i in range(100)]
    stream = pictures([float(n / rate) for n in range(400)])
    found = nearest(stream, [middle_time(float(start), i) for i in range(100)])
    assert [round(picture.time * rate) for picture in found if picture is not None] == expected


def test_ties_holes_and_ends() -> None:
    stream = pictures([0.0, 0.04, 0.08, 0.5])
    found = list(nearest(stream, [0.0, 0.02, 0.05, 0.05, 0.17, 0.19, 0.41, 0.5, 0.6, 0.61]))
    assert [None if p is None else p.time for p in found] == [0, 0, 0.04, 0.04, 0.08, None, 0.5, 0.5, 0.5, None]
    assert list(nearest([], [0.0])) == [None]


def test_two_pictures_are_held() -> None:
    taken = []

    def stream() -> object:
        for picture in pictures([n / 30 for n in range(300)]):
            taken.append(picture)
            yield picture

    found = nearest(stream(), [1.0, 5.0])
    next(found)
    assert len(taken) == 31
    next(found)
    assert len(taken) == 151
