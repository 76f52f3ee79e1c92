"""How utterances are divided into training, development and test sets."""

import random
from collections.abc import Callable, Sequence

from corpus import SESSIONS, Utterance

from espnet2_ext.errors import UserError

SETS = ("train", "dev", "test")
# Of the paper's split.
_SHARES = (0.6, 0.2)
# Protocols whose sets share speakers: what they measure is no recognition of new speakers.
LEAKING = ("paper",)

Fold = dict[str, list[Utterance]]


def make_folds(protocol: str, utterances: Sequence[Utterance], seed: int) -> list[Fold]:
    """Return the folds of a protocol.

    `paper`: one fold, 6:2:2, utterances drawn at random: speakers are in all sets. `loso5`: each session is the test
    set once; the next one (after the fifth the first) is the development set, so that models are selected by speakers
    that training has not seen, as they are tested. `loso10`: each speaker is the test set once; the session's other
    speaker is the development set, so that no voice of the test session's dialogs is in training.

    Args:
        protocol: `paper`, `loso5` or `loso10`.
        utterances: All of them; their order does not matter.
        seed: Seed of `paper`'s draw.

    Raises:
        UserError: A set would be empty.
    """
    utterances = sorted(utterances, key=lambda utterance: utterance.utt)
    folds = [_random_split(utterances, seed)] if protocol == "paper" else _PROTOCOLS[protocol](utterances)
    for number, fold in enumerate(folds, 1):
        for name in SETS:
            if not fold[name]:
                raise UserError(
                    f"{protocol}: {name} of fold {number} is empty; unpack the corpus again, or take all dialogs"
                )
    return folds


def _random_split(utterances: Sequence[Utterance], seed: int) -> Fold:
    order = list(utterances)
    random.Random(seed).shuffle(order)
    ends = [round(_SHARES[0] * len(order)), round(sum(_SHARES) * len(order))]
    return {"train": order[: ends[0]], "dev": order[ends[0] : ends[1]], "test": order[ends[1] :]}


def _by_session(utterances: Sequence[Utterance]) -> list[Fold]:
    def fold(session: int) -> Fold:
        return _fold(utterances, lambda u: u.session == session, lambda u: u.session == session % len(SESSIONS) + 1)

    return [fold(session) for session in SESSIONS]


def _by_speaker(utterances: Sequence[Utterance]) -> list[Fold]:
    def fold(speaker: str, session: int) -> Fold:
        return _fold(utterances, lambda u: u.speaker == speaker, lambda u: u.session == session)

    speakers = sorted({(utterance.speaker, utterance.session) for utterance in utterances})
    return [fold(speaker, session) for speaker, session in speakers]


def _fold(utterances: Sequence[Utterance], test: Callable[[Utterance], bool], dev: Callable[[Utterance], bool]) -> Fold:
    """Divide: what is `test`, what else is `dev`, and the rest."""
    names = ["test" if test(u) else "dev" if dev(u) else "train" for u in utterances]
    return {name: [u for u, found in zip(utterances, names, strict=True) if found == name] for name in SETS}


_PROTOCOLS = {"loso5": _by_session, "loso10": _by_speaker}
PROTOCOLS = (*LEAKING, *_PROTOCOLS)
