"""Crops against hand-made ones."""

import numpy as np
import pytest

from espnet2_ext.data.crop import Crop


def ramp(frames: int) -> np.ndarray:
    """Frame t is [t, -t]."""
    return np.arange(frames, dtype=np.float32)[:, None] * np.array([1, -1], np.float32)


def first_column(crop: Crop, total: int, wanted: int, position: float) -> tuple[list[float], int]:
    feats, valid = crop.cut(ramp(total), wanted, position)
    assert feats.shape == (wanted, 2)
    assert feats.dtype == np.float32
    np.testing.assert_array_equal(feats[:, 1], -feats[:, 0])
    return feats[:, 0].tolist(), valid


def test_repeat() -> None:
    assert first_column(Crop(), 3, 8, 0.7) == ([0, 1, 2, 0, 1, 2, 0, 1], 8)
    assert first_column(Crop(), 1, 3, 0.0) == ([0, 0, 0], 3)


def test_zero() -> None:
    assert first_column(Crop(padding="zero"), 3, 5, 0.7) == ([0, 1, 2, 0, 0], 3)


@pytest.mark.parametrize(("total", "start"), [(4, 0), (6, 1), (8, 2), (10, 3)])
def test_centre(total: int, start: int) -> None:
    """The middle 4 frames: as many before as after."""
    assert first_column(Crop(), total, 4, 0.5) == ([start, start + 1, start + 2, start + 3], 4)


@pytest.mark.parametrize("total", [5, 7, 251])
def test_centre_of_an_odd_rest_is_off_by_half_a_frame(total: int) -> None:
    (first, *_), _ = first_column(Crop(), total, 4, 0.5)
    assert abs(first - (total - 4) / 2) == 0.5


def test_every_start_is_reached_and_none_beyond() -> None:
    starts = [first_column(Crop(), 7, 4, position)[0][0] for position in np.linspace(0, 1, 101)[:-1]]
    assert sorted(set(starts)) == [0, 1, 2, 3]
    assert first_column(Crop(), 7, 4, np.nextafter(1.0, 0))[0][0] == 3


def test_starts_are_equally_likely() -> None:
    positions = np.random.default_rng(0).random(8000)
    counts = np.bincount([int(Crop().cut(ramp(7), 4, p)[0][0, 0]) for p in positions])
    assert np.abs(counts - 2000).max() < 5 * np.sqrt(2000)


@pytest.mark.parametrize(
    ("evaluation", "train", "total", "expected"),
    [
        ("centre", True, 300, 250),
        ("centre", False, 300, 250),
        ("centre", False, 3, 250),
        ("whole", True, 300, 250),
        ("whole", False, 300, 300),
        ("whole", False, 3, 64),
    ],
)
def test_target_frames(evaluation: str, train: bool, total: int, expected: int) -> None:
    assert Crop(evaluation=evaluation).target_frames(total, train) == expected


@pytest.mark.parametrize(
    "conf",
    [
        {"frames": 0}, {"frames": 2.5}, {"frames": "250"}, {"frames": True}, {"min_frames": 0}, {"padding": "reflect"},
        {"evaluation": "start"}, {"evaluation": None},
    ],
)  # fmt: skip
def test_impossible_values(conf: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(conf))):
        Crop(**conf)
