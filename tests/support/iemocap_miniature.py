"""A small corpus in the exact layout of IEMOCAP: five sessions of dialogs, wavs, videos, evaluation files with quirks.

Odd lines and files, by place: `._` files of macOS beside evaluations and wavs; Windows line ends in session 2; folders
of single annotators below EmoEvaluation; several labels by one annotator; ties, `xxx`, `Neutral state`, remarks; one
wav without a label and one label without a wav. Videos are of the improvised dialogs, MPEG-4 in AVI as DivX is: the
woman bright, the man dark and mirrored, from the portrait of Grace Hopper that Matplotlib ships (public domain).
"""

import math
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

RATE = 16000
NAMES = {
    "ang": "Anger", "hap": "Happiness", "exc": "Excited", "sad": "Sadness", "neu": "Neutral", "fru": "Frustration",
    "fea": "Fear", "sur": "Surprise", "dis": "Disgust", "oth": "Other",
}  # fmt: skip
# Dialogs of a session: actor with the markers, and name.
DIALOGS = ("F_impro01", "M_impro02", "F_script01_1")
TURNS = 8
NO_LABEL = "Ses04M_impro02_F099"
NO_WAV = "Ses05M_impro02_M003"
# Its face is away for the whole of it.
NO_FACE = "Ses02M_impro02_F001"
HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"


@dataclass
class MiniTurn:
    """One turn as it is written.

    Attributes:
        utt: The release's id.
        code: The release's label.
        votes: What the external annotators wrote, e.g. `Excited; Happiness;`.
        ratings: Valence, activation, dominance.
        remark: What one annotator wrote in brackets.
    """

    utt: str
    code: str
    votes: list[str]
    ratings: tuple[float, float, float] = (2.5, 3.0, 3.5)
    remark: str = ""

    def lines(self, start: float) -> list[str]:
        """Return its lines, from the summary to the blank one at the end."""
        rated = ", ".join(f"{rating:.4f}" for rating in self.ratings)
        lines = [f"[{start:.4f} - {start + 0.4:.4f}]\t{self.utt}\t{self.code}\t[{rated}]"]
        lines += [f"C-E{2 + i}:\t{labels}\t({self.remark})" for i, labels in enumerate(self.votes)]
        # The actors' own labels and the ratings of each, which nobody reads here.
        lines += [f"C-{self.utt.rsplit('_', 1)[1][0]}1:\tNonsense of their own;\t()", "A-E3:\tval 3; act ; dom  2;\t()"]
        return [*lines, ""]


@dataclass
class MiniCorpus:
    """The whole corpus: turns by dialog, and wavs that have no turn."""

    dialogs: dict[str, list[MiniTurn]] = field(default_factory=dict)
    extra_wavs: list[str] = field(default_factory=list)

    @property
    def turns(self) -> list[MiniTurn]:
        """All turns."""
        return [turn for turns in self.dialogs.values() for turn in turns]

    def turn(self, utt: str) -> MiniTurn:
        """Return one turn."""
        return next(turn for turn in self.turns if turn.utt == utt)


def votes_for(code: str) -> list[str]:
    """Two annotators agree on a label, one says something else."""
    other = "Sadness" if code == "neu" else "Neutral"
    return [f"{NAMES[code]};", f"{other};", f"{NAMES[code]};"]


def make_turns() -> MiniCorpus:
    """Make the turns: every class in every session, and the quirks."""
    corpus = MiniCorpus(extra_wavs=[NO_LABEL])
    codes = ("ang", "hap", "exc", "sad", "neu", "fru", "sur", "fea")
    for session in range(1, 6):
        for number, name in enumerate(DIALOGS):
            dialog = f"Ses0{session}{name}"
            turns = []
            for i in range(TURNS):
                code = codes[(i + 3 * number) % len(codes)]
                turn = MiniTurn(f"{dialog}_{'FM'[i % 2]}{i // 2:03d}", code, votes_for(code))
                turn.ratings = (1 + 0.5 * i, 5 - 0.5 * i, 1 + 0.25 * (i + session))
                turns.append(turn)
            corpus.dialogs[dialog] = turns
    # Session 1 has the only disgust, as rare as in the corpus.
    corpus.turn("Ses01F_impro01_F000").votes = ["Disgust;", "Disgust;", "Neutral;"]
    corpus.turn("Ses01F_impro01_F000").code = "dis"
    quirks = {
        "Ses01F_impro01_F001": ("xxx", ["Anger;", "Sadness;", "Neutral state;"]),
        "Ses01F_impro01_M001": ("hap", ["Excited; Happiness;", "Happiness;", "Excited; Neutral;"]),
        "Ses01F_impro01_M002": ("oth", ["Other;", "Other;", "Neutral;"]),
    }
    for utt, (code, votes) in quirks.items():
        turn = corpus.turn(utt)
        turn.code, turn.votes, turn.remark = code, votes, "tense, I think; café"
    return corpus


def write_tone(path: Path, seed: int, seconds: float) -> None:
    """Write a tone in noise; a woman's is higher."""
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = (220 if "_F" in path.stem[-5:] else 110) * (1 + 0.05 * (seed % 7))
    samples = 0.3 * np.sin(2 * math.pi * pitch * time) + np.random.default_rng(seed).normal(0, 0.05, len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


def session_of(root: Path, name: str) -> Path:
    """The folder of the session that a dialog or an utterance is of."""
    return root / f"Session{name[4]}"


def write_evaluation(root: Path, dialog: str, turns: list[MiniTurn], line_end: str = "\n") -> Path:
    """Write a dialog's evaluation file."""
    lines = [HEADER, ""]
    for number, turn in enumerate(turns):
        lines += turn.lines(number * 0.5)
    path = session_of(root, dialog) / f"dialog/EmoEvaluation/{dialog}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(line_end.join(lines).encode("utf-8"))
    return path


def make_corpus(root: Path, seconds: float = 0.4) -> MiniCorpus:
    """Write the whole corpus: 120 turns, of which 80 are improvised; one has no wav."""
    corpus = make_turns()
    for dialog, turns in corpus.dialogs.items():
        write_evaluation(root, dialog, turns, "\r\n" if dialog.startswith("Ses02") else "\n")
    utts = [turn.utt for turn in corpus.turns if turn.utt != NO_WAV] + corpus.extra_wavs
    for number, utt in enumerate(utts):
        dialog = utt.rsplit("_", 1)[0]
        write_tone(session_of(root, utt) / "sentences/wav" / dialog / f"{utt}.wav", number, seconds)
    # What macOS leaves, and the single annotators' files, which nobody reads.
    first = root / "Session1"
    (first / "dialog/EmoEvaluation/._Ses01F_impro01.txt").write_bytes(b"\0\5\x16\7Mac OS X")
    (first / "sentences/wav/Ses01F_impro01/._Ses01F_impro01_F000.wav").write_bytes(b"\0\5\x16\7Mac OS X")
    for name in ("Attribute", "Categorical", "Self-evaluation"):
        folder = first / "dialog/EmoEvaluation" / name
        folder.mkdir()
        (folder / "Ses01F_impro01_e2_cat.txt").write_text("Ses01F_impro01_F000 :Neutral; ()\n")
    return corpus


def portraits() -> dict[str, np.ndarray]:
    """Return the faces by gender, each ``(300, 256, 3)``, uint8."""
    from cv2 import INTER_AREA, resize
    from matplotlib.cbook import get_sample_data
    from matplotlib.image import imread

    woman = resize(imread(get_sample_data("grace_hopper.jpg", asfileobj=False)), (256, 300), interpolation=INTER_AREA)
    return {"F": woman, "M": (woman[:, ::-1] * 0.55).astype(np.uint8)}


def write_video(path: Path, pictures: Iterable[np.ndarray]) -> None:
    """Write RGB pictures ``(480, 720, 3)`` as MPEG-4 in AVI at 29.97 frames per second."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 720, 480, "yuv420p", 2_000_000
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def dialog_pictures(dialog: str, turns: list[MiniTurn]) -> Iterator[np.ndarray]:
    """Yield the frames of a dialog: who wears the markers is on the left; who speaks moves more."""
    faces = portraits()
    left = dialog[5]
    seconds = 0.5 * len(turns)
    for number in range(round(seconds * 30000 / 1001)):
        time = number * 1001 / 30000
        turn = turns[min(int(time / 0.5), len(turns) - 1)]
        picture = np.full((480, 720, 3), 96, np.uint8)
        for gender, face in faces.items():
            if turn.utt == NO_FACE and gender == "F":
                continue
            swing = 8 if turn.utt.rsplit("_", 1)[1][0] == gender else 1
            x = (50 if gender == left else 410) + round(swing * math.sin(6 * time))
            y = 90 + round(swing * math.cos(5 * time))
            picture[y : y + 300, x : x + 256] = face
        yield picture


def make_videos(root: Path, corpus: MiniCorpus) -> None:
    """Write the videos of the improvised dialogs."""
    for dialog, turns in corpus.dialogs.items():
        if "impro" in dialog:
            path = session_of(root, dialog) / f"dialog/avi/DivX/{dialog}.avi"
            write_video(path, dialog_pictures(dialog, turns))
