"""From annotators' votes to the label of an utterance, and to soft labels."""

import random
from collections import Counter
from collections.abc import Sequence

from emo_evaluation import Turn

NINE = ("ang", "hap", "exc", "sad", "neu", "fru", "fea", "sur", "dis")
# The four classes that the field compares by; excitement counts as happiness.
FOUR = ("ang", "hap", "sad", "neu")
_MERGED = {"exc": "hap"}
CLASSES = {9: NINE, 4: FOUR}


def paper_label(turn: Turn, seed: int) -> str | None:
    """The label that most external annotators gave; among equals one by a seeded draw (Chae et al., 2018).

    The paper says "majority of evaluations from three annotators" and "select randomly" for conflicts. Each label of an
    annotator who gave several counts as one vote. `Other` is none of the nine classes: where it alone has most votes
    there is no label; among equals it is not drawn. The draw depends on seed and utterance alone.

    Args:
        turn: The utterance.
        seed: Seed of the draw.

    Returns:
        One of the nine classes, or None.
    """
    counts = Counter(code for votes in turn.votes for code in votes)
    most = max(counts.values(), default=0)
    tied = sorted(code for code, count in counts.items() if count == most and code in NINE)
    if len(tied) < 2:
        return tied[0] if tied else None
    return random.Random(f"{seed} {turn.utt}").choice(tied)


def release_label(turn: Turn) -> str | None:
    """The release's own label: one of the nine classes; None for `xxx` (no majority) and `oth`."""
    return turn.code if turn.code in NINE else None


def to_classes(label: str | None, classes: Sequence[str]) -> str | None:
    """Bring one of nine labels to the classes: `exc` into `hap` where there is no `exc`; None where there is no class.

    The label is found among nine before, so the four classes hold the same utterances under the same name.
    """
    if label is not None and label not in classes:
        label = _MERGED.get(label)
    return label if label in classes else None


def vote_shares(turn: Turn, classes: Sequence[str]) -> list[float] | None:
    """Shares of the classes among the votes: each external annotator has one, divided among the labels given.

    Votes for what is no class (`Other`; with four classes the other five) are left out, and the rest sums to 1.

    Returns:
        A share for each class, in order; None where nobody voted for a class.
    """
    shares = dict.fromkeys(classes, 0.0)
    for votes in turn.votes:
        for code in votes:
            name = to_classes(code, classes)
            if name is not None:
                shares[name] += 1 / len(votes)
    total = sum(shares.values())
    return [share / total for share in shares.values()] if total else None
