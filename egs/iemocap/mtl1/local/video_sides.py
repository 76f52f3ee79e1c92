"""Which half of a frame shows whom: both actors are side by side in it."""

from collections.abc import Mapping
from pathlib import Path

from corpus import GENDERS, SESSIONS, Utterance

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.table import read_table
from espnet2_ext.video.geometry import Region

HALVES = {"left": Region(0, 0, 0.5, 1), "right": Region(0.5, 0, 1, 1)}
# Place of the letter of the actor with the markers in a dialog's name.
_MARKED = 5


def read_sides(path: Path, changes: str) -> dict[str, str]:
    """Read the half, `left` or `right`, of the actor who wears the markers, by session or dialog.

    Args:
        path: Lines `<session or dialog> <half>`; each session has one.
        changes: Further ones that win over the file's, such as `Ses03=right,Ses05F_impro04=right`; or nothing.

    Raises:
        UserError: A half is no half, a session is missing, or a change is not of this form.
    """
    sides = read_table(path)
    for change in filter(None, changes.split(",")):
        name, equals, side = change.partition("=")
        if not equals:
            raise UserError(f"--video_sides: {change!r} is not <session or dialog>=<left or right>")
        sides[name] = side
    for name, side in sides.items():
        if side not in HALVES:
            raise UserError(f"{path} or --video_sides: {name}: {side!r} is not left or right")
        if not name.startswith(tuple(f"Ses0{number}" for number in SESSIONS)):
            raise UserError(f"{path} or --video_sides: {name} is no session such as Ses01, and no dialog")
    for number in SESSIONS:
        if f"Ses0{number}" not in sides:
            raise UserError(f"{path}: Ses0{number} is missing; each session needs a line")
    return sides


def speakers_half(utterance: Utterance, sides: Mapping[str, str]) -> Region:
    """Return the half that shows who speaks: that of the markers if the speaker wears them, else the other one."""
    side = sides.get(utterance.dialog, sides[utterance.dialog[:_MARKED]])
    marked = utterance.dialog[_MARKED]
    assert marked in GENDERS
    other = {"left": "right", "right": "left"}[side]
    return HALVES[side if utterance.gender == marked else other]
