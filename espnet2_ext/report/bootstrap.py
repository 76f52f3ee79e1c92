"""Confidence intervals by resampling speakers, with the library confidence-intervals."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path

# Share of the resampled values that an interval holds.
LEVEL = 0.95
# Of the draws; sets of another one are other sets.
_SCHEME = "one stream a set"
Metrics = Mapping[str, float]


def resample_speakers(
    metrics: Callable[[np.ndarray], Metrics], speakers: Sequence[str], resamplings: int, seed: int
) -> tuple[list[str], np.ndarray]:
    """Compute metrics on resampled sets.

    A resampled set draws as many speakers as there are, with replacement, and then as many of each speaker's
    utterances as there are, with replacement (the library's scheme for samples that come in conditions; who is drawn
    twice brings the same utterances twice). The draws follow from `speakers`, their order and `seed` alone, so that two
    systems are compared on the same sets.

    Args:
        metrics: From utterance numbers (M,), repeats included, to metrics by name.
        speakers: Speaker of each of the N utterances.
        resamplings: Number of sets, R.
        seed: Seed; set number r uses `seed * resamplings + r`, so that other seeds share no set.

    Returns:
        Names of the metrics (M), and their values (R, M); NaN where a metric has no label in a set.
    """
    # scikit-learn stands behind the library: not worth its import where no interval is asked for.
    from confidence_intervals.confidence_intervals import get_bootstrap_indices

    numbers = np.unique(np.asarray(speakers), return_inverse=True)[1]
    names = list(metrics(np.arange(len(speakers))))
    values = np.empty((resamplings, len(names)))
    for r in range(resamplings):
        # One stream for the whole set: a number would seed each speaker's draw anew, and speakers with equally many
        # utterances would all draw the same places of their lists.
        stream = np.random.RandomState(seed * resamplings + r)
        sample = metrics(get_bootstrap_indices(len(speakers), numbers, random_state=stream))
        values[r] = [sample[name] for name in names]
    return names, values


def interval(values: np.ndarray) -> tuple[float, float] | None:
    """Return the central interval of resampled values (R,) that holds `LEVEL` of them; None without a finite one."""
    from confidence_intervals import get_conf_int

    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = get_conf_int(finite, alpha=100 * (1 - LEVEL))
    return float(low), float(high)


def fingerprint(utts: Sequence[str], speakers: Sequence[str], resamplings: int, seed: int) -> str:
    """Return what two bootstraps must share to be paired: scheme, utterances, speakers, number and seed."""
    rows = [f"{utt} {speaker}" for utt, speaker in zip(utts, speakers, strict=True)]
    text = "\n".join([f"{_SCHEME} {resamplings} {seed}", *rows])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def write_samples(path: Path, names: Sequence[str], values: np.ndarray, mark: str) -> None:
    """Keep resampled metrics (R, M) beside a score, for tables and paired comparisons."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, names=np.array(names), values=values, fingerprint=np.array(mark))


def read_samples(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Read what `write_samples` wrote.

    Returns:
        Values (R,) by metric, and the fingerprint.

    Raises:
        UserError: The file is missing or torn.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            names, values, mark = data["names"], data["values"], str(data["fingerprint"])
            return {str(name): values[:, i] for i, name in enumerate(names)}, mark
    except (OSError, ValueError, KeyError, IndexError, EOFError) as error:
        raise UserError(f"{path}: no bootstrap of this program ({error}); run scoring (stage 8) again") from error


def p_value(differences: np.ndarray) -> float:
    """Return the two-sided bootstrap p value that a difference is zero.

    Twice the smaller share of the resampled differences on either side of zero, counting the observed set once
    (Davison and Hinkley, Bootstrap Methods, 4.2.3), so that it is never 0; at most 1.

    Args:
        differences: (R,) resampled differences; NaN is left out, and gives NaN if nothing else is there.
    """
    finite = differences[np.isfinite(differences)]
    if not finite.size:
        return float("nan")
    tail = min(np.count_nonzero(finite <= 0), np.count_nonzero(finite >= 0))
    return float(min(1.0, 2 * (tail + 1) / (finite.size + 1)))
