"""Following a face: which frames repeat which, and where the square is, by hand."""

import numpy as np
import pytest
from video_files import flat

from espnet2_ext.video import face_track
from espnet2_ext.video.crop import crop_square
from espnet2_ext.video.face_track import FaceCrops, FaceTrack, TrackOptions
from espnet2_ext.video.geometry import Square

PLACE = Square(8, 8, 16)
OPTIONS = TrackOptions(size=4)


def find(luma: np.ndarray, near: Square | None) -> Square | None:
    """A face wherever the picture is not dark."""
    return PLACE if luma[0, 0] > 50 else None


def follow(lumas: list[int | None], options: TrackOptions = OPTIONS) -> FaceCrops:
    """Frames of these greys; None is a frame that the video does not have."""
    track = FaceTrack(len(lumas), find, options)
    for frame, luma in enumerate(lumas):
        track.push(frame, None if luma is None else flat(luma))
    return track.finish()


def sources(lumas: list[int | None], found: FaceCrops) -> list[int]:
    """The frame that each crop shows, by its grey; greys differ."""
    assert found.pixels is not None
    shown = {int(crop_square(flat(luma), PLACE, 4)[0, 0, 0]): n for n, luma in enumerate(lumas) if luma is not None}
    return [shown[int(row[0])] for row in found.pixels]


def recorded(monkeypatch: pytest.MonkeyPatch) -> dict[int, Square]:
    """Crop nothing; return the square of each frame, by its grey."""
    places: dict[int, Square] = {}

    def crop(region: np.ndarray, square: Square, _: int) -> int:
        places[int(region[0, 0])] = square
        return 0

    monkeypatch.setattr(face_track, "crop_square", crop)
    return places


def test_all_frames_have_a_face() -> None:
    lumas = list(range(60, 83))
    found = follow(lumas)
    assert found.pixels is not None
    assert found.pixels.shape == (23, 48)
    assert found.pixels.dtype == np.uint8
    assert (found.repeated, found.pictures) == (0, 23)
    assert sources(lumas, found) == list(range(23))


def test_a_blank_stretch_repeats_the_last_face() -> None:
    """Dark from 18 to 57; searched at every fifth frame: found at 15 and 60, which count for 17 and from 58 on."""
    lumas = [100 + n for n in range(80)]
    lumas[18:58] = [20] * 40
    found = follow(lumas)
    assert found.repeated == 40
    expected = [*range(18), *[17] * 40, *range(58, 80)]
    assert sources([luma if luma > 50 else None for luma in lumas], found) == expected


def test_leading_and_trailing_frames_without_a_face() -> None:
    lumas: list[int | None] = [20] * 9 + [100 + n for n in range(9, 21)] + [None] * 19
    found = follow(lumas)
    # Found at 10, 15, 20: seen are 8 to 20; 8 itself is dark.
    assert found.repeated == 8 + 19
    assert found.pictures == 21
    expected = [8] * 9 + [*range(9, 21)] + [20] * 19
    assert sources([None] * 8 + [20] + [100 + n for n in range(9, 21)], found) == expected


def test_no_face_at_all() -> None:
    assert follow([20] * 12) == FaceCrops(None, 12, 12)
    assert follow([None] * 3) == FaceCrops(None, 3, 0)


@pytest.mark.parametrize(("gap", "repeated"), [(15, 0), (20, 15)])
def test_a_short_gap_is_bridged(gap: int, repeated: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found at 0 and at `gap`, 30 pixels to the right: between them the square moves evenly, or there is no face."""
    places = recorded(monkeypatch)
    finds = {0: Square(0, 8, 16), gap: Square(30, 8, 16)}
    options = TrackOptions(size=4, smoothing=0, margin=0)
    track = FaceTrack(gap + 1, lambda luma, _: finds.get(int(luma[0, 0])), options)
    for frame in range(gap + 1):
        track.push(frame, flat(frame))
    assert track.finish().repeated == repeated
    if repeated == 0:
        assert {n: place.x for n, place in places.items()} == pytest.approx({n: 2 * n for n in range(16)})
    else:
        assert {n: place.x for n, place in places.items()} == {0: 0, 1: 0, 2: 0, 18: 30, 19: 30, 20: 30}


def test_smoothing_and_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detections at x 0, 8 and 8 with a share of a half: 0, 4, 6; a square of 16 grows by 8 about its centre."""
    places = recorded(monkeypatch)
    finds = {0: Square(0, 0, 16), 5: Square(8, 0, 16), 10: Square(8, 0, 16)}
    track = FaceTrack(11, lambda luma, _: finds[int(luma[0, 0])], TrackOptions(size=4, margin=0.5, smoothing=0.5))
    for frame in range(11):
        track.push(frame, flat(frame))
    track.finish()
    assert [places[n] for n in (0, 5, 10)] == [Square(-4, -4, 24), Square(0, -4, 24), Square(2, -4, 24)]


def test_search_is_near_the_last_place_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Square | None] = []

    def seek(luma: np.ndarray, near: Square | None) -> Square | None:
        asked.append(near)
        return PLACE if len(asked) == 1 else None

    track = FaceTrack(31, seek, OPTIONS)
    for frame in range(31):
        track.push(frame, flat(20))
        # Pictures are let go of.
        assert len(track._waiting) <= OPTIONS.max_gap + OPTIONS.interval
    assert asked == [None, PLACE, PLACE, PLACE, None, None, None]
