"""The corpus' EmoEvaluation files: the release's label, the annotators' labels and the mean ratings of each turn."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from espnet2_ext.errors import UserError

# The annotators' words by the release's codes.
CODES = {
    "anger": "ang",
    "happiness": "hap",
    "excited": "exc",
    "sadness": "sad",
    "neutral": "neu",
    "neutral state": "neu",
    "frustration": "fru",
    "fear": "fea",
    "surprise": "sur",
    "disgust": "dis",
    "other": "oth",
}
# The release's code where annotators did not agree.
NO_MAJORITY = "xxx"
_SUMMARY = re.compile(r"\[\s*([\d.]+)\s*-\s*[\d.]+\s*\]\s+(\S+)\s+(\S+)\s+\[([^\]]*)\]")
# C-E2 is an external annotator's category, C-F1 the actress' own; A-... are ratings, whose means the summary has.
_CATEGORY = re.compile(r"C-([A-Z])\w*:\s*([^(]*)")
_EXTERNAL = "E"
_OTHER_LINES = ("%", "A-")


@dataclass(frozen=True)
class Turn:
    """What an evaluation file says of one utterance.

    Attributes:
        utt: The release's id, e.g. `Ses01F_impro02_M007`.
        code: The release's label, such as `ang`, `oth` or `xxx`.
        ratings: Mean valence, activation and dominance, rated from 1 to 5.
        votes: The codes that each external annotator gave, one or more, in the order of the file.
        where: File and line, for messages.
        start: Where it starts in the dialog's audio and video, in seconds.
    """

    utt: str
    code: str
    ratings: tuple[float, float, float]
    votes: tuple[tuple[str, ...], ...]
    where: str
    start: float


def read_evaluation(path: Path) -> list[Turn]:
    """Read one dialog's file; lines may end as on Windows.

    Returns:
        Its turns in order.

    Raises:
        UserError: The file cannot be read or holds no turn; a line is not of the format, a label is unknown, or a turn
            stands twice.
    """
    try:
        # Only remarks in brackets hold anything but ASCII.
        lines = path.read_bytes().decode("utf-8", errors="replace").split("\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; copy the corpus again") from error
    turns: dict[str, Turn] = {}
    current = None
    votes: list[tuple[str, ...]] = []
    for number, line in enumerate(lines, 1):
        where, text = f"{path}:{number}", line.strip()
        if text.startswith("["):
            _close(turns, current, votes)
            current, votes = _summary(text, where), []
            if current.utt in turns:
                raise UserError(f"{where}: {current.utt}: stands twice; take the file from the release again")
        elif text.startswith("C-"):
            if current is None:
                raise UserError(f"{where}: an annotator's line before the first turn; copy the file again")
            votes += _votes(text, where)
        elif text and not text.startswith(_OTHER_LINES):
            raise UserError(f"{where}: {text[:40]!r} is no line of an evaluation; copy the file from the release again")
    _close(turns, current, votes)
    if not turns:
        raise UserError(f"{path}: holds no turn; copy the file from the release again")
    return list(turns.values())


def _close(turns: dict[str, Turn], turn: Turn | None, votes: list[tuple[str, ...]]) -> None:
    """Keep a turn with the votes that stood below it."""
    if turn is not None:
        turns[turn.utt] = replace(turn, votes=tuple(votes))


def _summary(text: str, where: str) -> Turn:
    match = _SUMMARY.match(text)
    if match is None:
        raise UserError(f"{where}: {text[:60]!r} is not `[start - end] utterance label [v, a, d]`; copy the file again")
    time, utt, code, ratings = match.groups()
    if code not in {*CODES.values(), NO_MAJORITY}:
        known = ", ".join(dict.fromkeys([*CODES.values(), NO_MAJORITY]))
        raise UserError(f"{where}: {utt}: label {code!r} is unknown; the release has {known}")
    try:
        valence, activation, dominance = (float(field) for field in ratings.split(","))
    except ValueError as error:
        raise UserError(f"{where}: {utt}: [{ratings}] are not three numbers; copy the file again") from error
    try:
        start = float(time)
    except ValueError as error:
        raise UserError(f"{where}: {utt}: {time!r} is no time in seconds; copy the file again") from error
    return Turn(utt, code, (valence, activation, dominance), (), where, start)


def _votes(text: str, where: str) -> list[tuple[str, ...]]:
    """Return the codes of an external annotator's line, each once; nothing for an actor's own, or an empty one."""
    match = _CATEGORY.match(text)
    if match is None:
        raise UserError(f"{where}: {text[:40]!r} is not `C-<annotator>: label; ...`; copy the file again")
    if match[1] != _EXTERNAL:
        return []
    names = [name.strip().lower() for name in match[2].split(";") if name.strip()]
    for name in names:
        if name not in CODES:
            raise UserError(f"{where}: label {name!r} is unknown; the annotators had {', '.join(CODES)}")
    return [tuple(dict.fromkeys(CODES[name] for name in names))] if names else []
