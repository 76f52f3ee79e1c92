"""The corpus' folders: which utterances there are, who speaks, and where the audio is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emo_evaluation import Turn, read_evaluation

from espnet2_ext.errors import UserError

SESSIONS = (1, 2, 3, 4, 5)
GENDERS = {"F": "female", "M": "male"}
IMPROVISED = "impro"
# Session, actor with the markers, kind of dialog; the letter after the last underscore is who speaks.
_UTTERANCE = re.compile(r"(?P<dialog>Ses0(?P<session>\d)[FM]_(?P<kind>impro|script)\w+)_(?P<gender>[FM])\w+")
# More than this without a wav, or without a label, is a torn copy and not a few lost files.
MOST_LOST = 0.05


@dataclass(frozen=True)
class Utterance:
    """One turn with its audio.

    Attributes:
        turn: What the annotators say.
        wav: Its audio.
        session: 1 to 5.
        gender: `F` or `M`: of the speaker, not of the actor with the markers.
        improvised: Whether the dialog is improvised; else it is scripted.
    """

    turn: Turn
    wav: Path
    session: int
    gender: str
    improvised: bool

    @property
    def speaker(self) -> str:
        """Speaker id: session and gender, as each session has one woman and one man."""
        return f"Ses0{self.session}{self.gender}"

    @property
    def dialog(self) -> str:
        """Name of the dialog, e.g. `Ses01F_impro02`; the letter is the actor with the markers."""
        return self.turn.utt.rsplit("_", 1)[0]

    @property
    def utt(self) -> str:
        """Utterance id: the speaker comes first, as Kaldi's order wants it."""
        return f"{self.speaker}-{self.turn.utt}"


@dataclass(frozen=True)
class Corpus:
    """All utterances with label and audio, sorted by id.

    Attributes:
        utterances: The utterances.
        without_wav: Turns that have no wav.
        without_turn: Wavs that no evaluation file has.
    """

    utterances: list[Utterance]
    without_wav: list[str]
    without_turn: list[str]


def read_corpus(root: Path) -> Corpus:
    """Read all five sessions.

    Raises:
        UserError: The folder is not the corpus; a session, folder or evaluation file is missing; an evaluation file is
            bad; more than 5 % of the utterances lack their wav or label.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such directory; give the corpus' folder with --iemocap_root, or set IEMOCAP_ROOT")
    if not any((root / f"Session{number}").is_dir() for number in SESSIONS):
        raise UserError(f"{root}: holds no Session1 to Session5; --iemocap_root is the folder that holds them")
    utterances: list[Utterance] = []
    without_wav: list[str] = []
    without_turn: list[str] = []
    for session in SESSIONS:
        turns, wavs = _read_session(root.absolute() / f"Session{session}", session)
        utterances += [_utterance(turn, wavs[utt], session) for utt, turn in turns.items() if utt in wavs]
        without_wav += [utt for utt in turns if utt not in wavs]
        without_turn += [utt for utt in wavs if utt not in turns]
    total = len(utterances) + len(without_wav)
    for lost, what in ((without_wav, "wav"), (without_turn, "label")):
        if len(lost) > MOST_LOST * total:
            raise UserError(
                f"{root}: {len(lost)} utterances have no {what} ({total} have a label), the first is {lost[0]}; "
                "unpack the corpus again"
            )
    return Corpus(sorted(utterances, key=lambda utterance: utterance.utt), without_wav, without_turn)


def _read_session(folder: Path, session: int) -> tuple[dict[str, Turn], dict[str, Path]]:
    """Return turns and wavs of a session by utterance."""
    labels, audio = folder / "dialog/EmoEvaluation", folder / "sentences/wav"
    for path in (folder, labels, audio):
        if not path.is_dir():
            raise UserError(f"{path}: no such directory; all five sessions are needed, unpack the corpus again")
    files = {path.stem: path for path in _visible(labels) if path.suffix == ".txt" and path.is_file()}
    folders = {path.name: path for path in _visible(audio) if path.is_dir()}
    for name, path in folders.items():
        if name not in files:
            raise UserError(f"{labels}/{name}.txt: no such file, and {path} has its wavs; unpack the corpus again")
    for name, path in files.items():
        if name not in folders:
            raise UserError(f"{audio}/{name}: no such directory, and {path} has its labels; unpack the corpus again")
    turns = {turn.utt: turn for path in files.values() for turn in _dialog(path, session)}
    wavs = {wav.stem: wav for path in folders.values() for wav in _visible(path) if wav.suffix.lower() == ".wav"}
    return turns, wavs


def _visible(folder: Path) -> Sequence[Path]:
    """Return what a folder holds, sorted, but hidden files: `._name` is what macOS leaves beside `name`."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _dialog(path: Path, session: int) -> list[Turn]:
    """Read a dialog's turns and check that they are its own."""
    turns = read_evaluation(path)
    for turn in turns:
        match = _UTTERANCE.fullmatch(turn.utt)
        if match is None or match["dialog"] != path.stem or int(match["session"]) != session:
            raise UserError(f"{turn.where}: {turn.utt!r} is no utterance of {path.stem}; copy the file again")
    return turns


def _utterance(turn: Turn, wav: Path, session: int) -> Utterance:
    match = _UTTERANCE.fullmatch(turn.utt)
    assert match is not None
    return Utterance(turn, wav, session, match["gender"], match["kind"] == IMPROVISED)
