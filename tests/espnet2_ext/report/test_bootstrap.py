"""Resampled sets: speakers, and within each of them utterances by a draw of its own."""

from collections import Counter

import numpy as np

from espnet2_ext.report.bootstrap import resample_speakers

SPEAKERS = [name for name in "abcde" for _ in range(12)]


def resampled(resamplings: int, seed: int) -> list[np.ndarray]:
    """Utterance numbers of each set; the metric is called once on the whole set first."""
    found: list[np.ndarray] = []

    def metrics(indices: np.ndarray) -> dict[str, float]:
        found.append(indices)
        return {"mean": float(indices.mean())}

    names, values = resample_speakers(metrics, SPEAKERS, resamplings, seed)
    assert names == ["mean"]
    assert values[:, 0].tolist() == [indices.mean() for indices in found[1:]]
    return found[1:]


def test_speakers_with_equally_many_utterances_draw_apart() -> None:
    """One draw for all would take the same places of every speaker's list: two agree once in about 10^7."""
    for indices in resampled(50, 0):
        assert len(indices) == len(SPEAKERS)
        places = [tuple(sorted(set(indices[indices // 12 == speaker] % 12))) for speaker in sorted(set(indices // 12))]
        assert len(set(places)) > 1 or len(places) == 1


def test_a_speakers_share_is_a_draw_with_replacement() -> None:
    """Each comes 0, 1, 2, ... times with all its utterances, once in the mean."""
    times = Counter()
    for indices in resampled(200, 1):
        counts = np.bincount(indices // 12, minlength=5)
        assert not (counts % 12).any()
        times.update((counts // 12).tolist())
    shares = [times[n] / 1000 for n in range(4)]
    np.testing.assert_allclose(shares, [0.328, 0.410, 0.205, 0.051], atol=0.05)  # binomial, 5 draws of 1/5


def test_sets_follow_from_the_seed() -> None:
    one, again, other = resampled(20, 3), resampled(20, 3), resampled(20, 4)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
