"""Masks: torchaudio's masking as oracle for widths and places, hand-made fillings."""

import numpy as np
import pytest
import torch
import torchaudio

from espnet2_ext.data.augment.spec_augment import SpecAugment

FEATS = np.random.default_rng(0).normal(size=(60, 20)).astype(np.float32) + 5
# Nothing but one mask, filled with a value that the features do not have.
ONE_TIME = {"n_time_masks": 1, "n_freq_masks": 0, "fill": "zero"}
ONE_FREQ = {"n_time_masks": 0, "n_freq_masks": 1, "fill": "zero"}


def masked(seed: int = 0, **conf: object) -> np.ndarray:
    return SpecAugment(**conf).apply(FEATS, None, np.random.default_rng(seed))


def runs(axis: int, n: int, **conf: object) -> list[tuple[int, int]]:
    """(start, width) of one mask in each of n draws; all else is untouched."""
    found = []
    for seed in range(n):
        result = masked(seed, **conf)
        where = np.flatnonzero((result == 0).all(axis=1 - axis))
        kept = np.ones(FEATS.shape, bool)
        kept[(slice(None),) * axis + (where,)] = False
        np.testing.assert_array_equal(result[kept], FEATS[kept])
        assert len(where) == 0 or where[-1] - where[0] == len(where) - 1
        found.append((int(where[0]) if len(where) else -1, len(where)))
    return found


@pytest.mark.parametrize(
    ("axis", "conf", "widest"),
    [
        (0, {**ONE_TIME, "max_time_frames": 9, "max_time_fraction": 1.0}, 9),
        (0, {**ONE_TIME, "max_time_frames": 40, "max_time_fraction": 0.2}, 12),
        (0, {**ONE_TIME, "max_time_frames": 60, "max_time_fraction": 1}, 60),
        (1, {**ONE_FREQ, "max_freq_bins": 5}, 5),
        (1, {**ONE_FREQ, "max_freq_bins": 99}, 20),
    ],
)
def test_widths_and_places(axis: int, conf: dict, widest: int) -> None:
    found = runs(axis, 1500, **conf)
    widths = np.array([width for _, width in found])
    assert set(widths) == set(range(widest + 1))
    # Uniform over 0..widest: mean widest / 2, deviation of that mean about widest / sqrt(12 n).
    assert abs(widths.mean() - widest / 2) < 5 * (widest + 1) / np.sqrt(12 * len(widths))
    size = FEATS.shape[axis]
    ends = [start + width for start, width in found if width]
    assert min(start for start, width in found if width) == 0
    assert max(ends) == size


def test_torchaudio_draws_the_same_widths_and_places() -> None:
    """Its largest width is excluded, ours (the paper's) is not: torchaudio's 13 is our 12, which p = .2 of 60 gives."""
    torch.manual_seed(0)
    theirs = []
    for _ in range(1500):
        spec = torchaudio.functional.mask_along_axis(torch.ones(1, 20, 60), 13, 0.0, 2)
        where = np.flatnonzero((spec[0] == 0).all(dim=0).numpy())
        theirs.append((int(where[0]) if len(where) else -1, len(where)))
    ours = runs(0, 1500, **ONE_TIME, max_time_fraction=0.2)
    for column in (0, 1):
        one, two = (np.array([pair[column] for pair in pairs if pair[1]], float) for pairs in (theirs, ours))
        assert abs(one.mean() - two.mean()) < 5 * np.hypot(one.std(), two.std()) / np.sqrt(len(one))
        assert one.min() == two.min()
        # Its start is cut off from a real number, ours drawn among whole ones: the last place is rarer there.
        assert abs(one.max() - two.max()) <= 2 * (1 - column)
    limited = torchaudio.functional.mask_along_axis(torch.ones(1, 20, 60), 40, 0.0, 2, p=0.2)
    assert (limited[0] == 0).all(dim=0).sum() <= 12


def test_mean_is_that_of_each_bin_before_masking() -> None:
    result = masked(3, n_time_masks=2, max_time_fraction=1.0, n_freq_masks=2, max_freq_bins=6)
    changed = result != FEATS
    assert changed.any()
    expected = np.broadcast_to(FEATS.astype(np.float64).mean(axis=0), FEATS.shape)
    np.testing.assert_allclose(result[changed], expected[changed], rtol=1e-5)


def test_masks_are_counted() -> None:
    """Three masks of a sure width can cover at most three times that, and do so somewhere."""
    shares = [(masked(s, **{**ONE_TIME, "n_time_masks": 3}, max_time_frames=4) == 0).all(1).sum() for s in range(300)]
    assert 8 < max(shares) <= 12


def test_input_is_kept_and_seeded() -> None:
    before = FEATS.copy()
    assert np.array_equal(masked(7), masked(7))
    assert not np.array_equal(masked(7), masked(8))
    assert np.array_equal(before, FEATS)
    assert masked(7).dtype == np.float32


@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (3, 20)])
def test_short_utterances(shape: tuple[int, int]) -> None:
    feats = np.ones(shape, np.float32)
    for seed in range(20):
        assert SpecAugment().apply(feats, None, np.random.default_rng(seed)).shape == shape
