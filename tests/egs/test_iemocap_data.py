"""IEMOCAP's evaluation files with all their quirks, label rules, protocols, and what is wrong in one line."""

import importlib
import io
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from iemocap_miniature import NO_LABEL, NO_WAV, MiniCorpus, MiniTurn, make_corpus, write_evaluation, write_tone

from espnet2_ext.data.validate_data_dir import validate
from espnet2_ext.errors import run_cli
from espnet2_ext.fileio.table import read_table

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "egs/iemocap/mtl1"
Tables = dict[str, dict[str, str]]
# Protocols and their folds.
FOLDS = {"paper": 1, "loso5": 5, "loso10": 10}
DEFAULTS = {
    "protocol": "paper", "dialogs": "improvised", "classes": "9", "label_rule": "paper", "keep_unlabelled": "false",
    "label_seed": "0", "name": "folds",
}  # fmt: skip


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MiniCorpus]:
    folder = tmp_path_factory.mktemp("corpus")
    return folder, make_corpus(folder, seconds=0.02)


@pytest.fixture
def corpus(mini: tuple[Path, MiniCorpus], tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(mini[0], tmp_path / "corpus")


def load_main() -> Callable[[], None]:
    """Return local/prepare_data.py's main; its modules' names stay free for those of other recipes."""
    local = RECIPE / "local"
    others = {path.stem: sys.modules.pop(path.stem, None) for path in local.glob("*.py")}
    sys.path.insert(0, str(local))
    try:
        return importlib.import_module("prepare_data").main
    finally:
        sys.path.remove(str(local))
        for name, module in others.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


MAIN = load_main()


class Result(NamedTuple):
    """How a program ended."""

    status: int
    stdout: str
    stderr: str


def prepare(root: Path, data: Path, **options: str) -> Result:
    """Run local/prepare_data.py in this process."""
    given = [word for name, value in (DEFAULTS | options).items() for word in (f"--{name}", value)]
    stdout, stderr = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
        patch.setattr(sys, "argv", ["prepare_data.py", "--root", str(root), "--data_dir", str(data), *given])
        with pytest.raises(SystemExit) as end:
            run_cli(MAIN)
    return Result(int(end.value.code), stdout.getvalue(), stderr.getvalue())


def prepared(root: Path, data: Path, **options: str) -> list[dict[str, Tables]]:
    """Run it successfully; return every table by fold, set and name, the utterances under the release's ids."""
    result = prepare(root, data, **options)
    assert result.status == 0, result.stderr
    count = FOLDS[options.get("protocol", "paper")]
    assert sorted(path.name for path in (data / "folds").iterdir()) == sorted(f"fold{i + 1}" for i in range(count))
    return [
        {name: tables(data / f"folds/fold{number}" / name) for name in ("train", "dev", "test")}
        for number in range(1, count + 1)
    ]


def tables(folder: Path) -> Tables:
    return {
        path.name: {key.split("-", 1)[-1]: value for key, value in read_table(path).items()}
        for path in folder.iterdir()
        if path.name != "spk2utt"
    }


def together(fold: dict[str, Tables], table: str) -> dict[str, str]:
    """One table of all sets of a fold."""
    return {utt: value for found in fold.values() for utt, value in found.get(table, {}).items()}


def labels_of(root: Path, data: Path, **options: str) -> dict[str, str]:
    return together(prepared(root, data, **options)[0], "utt2emotion")


def rewrite(root: Path, **votes: list[str]) -> None:
    """Give utterances of Ses03F_impro01 other votes (`F000=[...]`); the release says `xxx` of all its turns."""
    turns = [MiniTurn(f"Ses03F_impro01_{g}{i:03d}", "xxx", ["Neutral;"]) for i in range(4) for g in "FM"]
    for turn in turns:
        turn.votes = votes.get(turn.utt[-4:], turn.votes)
    write_evaluation(root, "Ses03F_impro01", turns)


# --- utterances, speakers, audio


def test_every_utterance_with_wav_and_label(mini: tuple[Path, MiniCorpus], tmp_path: Path) -> None:
    root, expected = mini
    fold = prepared(root, tmp_path / "data", dialogs="all", keep_unlabelled="true")[0]
    wavs = together(fold, "wav.scp")
    assert set(wavs) == {turn.utt for turn in expected.turns} - {NO_WAV}
    everything = tables(tmp_path / "data/all")
    assert everything["wav.scp"] == wavs
    assert not [name for name in everything if name not in ("wav.scp", "utt2spk", "utt2dur")]
    for utt, path in wavs.items():
        dialog = utt.rsplit("_", 1)[0]
        assert Path(path) == root / f"Session{utt[4]}/sentences/wav/{dialog}/{utt}.wav"
    assert {float(seconds) for seconds in together(fold, "utt2dur").values()} == {0.02}


def test_speaker_and_gender_are_of_who_speaks(mini: tuple[Path, MiniCorpus], tmp_path: Path) -> None:
    """`Ses01F_impro01_M000`: the woman wears the markers, the man speaks."""
    fold = prepared(mini[0], tmp_path / "data", dialogs="all")[0]
    speakers, genders = together(fold, "utt2spk"), together(fold, "utt2gender")
    assert speakers["Ses01F_impro01_M000"] == "Ses01M"
    assert genders["Ses01F_impro01_M000"] == "male"
    assert speakers["Ses04M_impro02_F001"] == "Ses04F"
    assert genders["Ses04M_impro02_F001"] == "female"
    assert set(speakers.values()) == {f"Ses0{session}{gender}" for session in range(1, 6) for gender in "FM"}


def test_wavs_without_label_and_labels_without_wav_are_told(mini: tuple[Path, MiniCorpus], tmp_path: Path) -> None:
    result = prepare(mini[0], tmp_path / "data")
    assert f"1 utterances have a label and no wav, the first is {NO_WAV}; left out" in result.stderr
    assert f"1 utterances have a wav and no label, the first is {NO_LABEL}; left out" in result.stderr
    assert "120 utterances have a label, in the release 10039" in result.stderr


def test_improvised_or_all(mini: tuple[Path, MiniCorpus], tmp_path: Path) -> None:
    options = {"keep_unlabelled": "true"}
    improvised = together(prepared(mini[0], tmp_path / "a", **options)[0], "utt2spk")
    everything = together(prepared(mini[0], tmp_path / "b", dialogs="all", **options)[0], "utt2spk")
    assert set(improvised) == {utt for utt in everything if "_impro" in utt}
    assert (len(improvised), len(everything)) == (79, 119)
    assert tables(tmp_path / "a/all") == tables(tmp_path / "b/all")


def test_ratings(mini: tuple[Path, MiniCorpus], tmp_path: Path) -> None:
    fold = prepared(mini[0], tmp_path / "data", dialogs="all")[0]
    expected = {turn.utt: turn.ratings for turn in mini[1].turns}
    for utt, text in together(fold, "utt2affect").items():
        assert [float(value) for value in text.split()] == pytest.approx(expected[utt], abs=1e-4)


# --- labels


def test_majority(corpus: Path, tmp_path: Path) -> None:
    """Each label counts once for each annotator; the actors' own do not count."""
    rewrite(
        corpus,
        F000=["Anger;", "Anger;", "Sadness;"],
        M000=["Excited; Happiness;", "Happiness;", "Excited; Neutral; Happiness;"],
        F001=["Neutral state;", "neutral;", "Frustration;"],
        M001=["Fear; Fear; Fear;", "Surprise;", "Surprise;"],
        F002=["Disgust;"],
        M002=["Frustration;", ";", "Frustration"],
    )
    labels = labels_of(corpus, tmp_path / "data")
    found = {utt[-4:]: label for utt, label in labels.items() if utt.startswith("Ses03F_impro01")}
    assert found == {
        "F000": "ang", "M000": "hap", "F001": "neu", "M001": "sur", "F002": "dis", "M002": "fru", "F003": "neu",
        "M003": "neu",
    }  # fmt: skip


def test_ties_are_drawn_among_the_tied_by_seed(corpus: Path, tmp_path: Path) -> None:
    tied = {name: ["Anger;", "Sadness;", "Frustration; Other;"] for name in ("F000", "M000", "F001", "M001", "F002")}
    rewrite(corpus, **tied)

    def drawn(seed: str) -> list[str]:
        labels = labels_of(corpus, tmp_path / f"data{seed}", label_seed=seed)
        return [labels[f"Ses03F_impro01_{name}"] for name in tied]

    draws = {seed: drawn(seed) for seed in map(str, range(6))}
    assert {label for labels in draws.values() for label in labels} == {"ang", "sad", "fru"}
    assert draws["0"] == drawn("0")
    # The utterances do not all get one label, and the seed matters.
    assert any(len(set(labels)) > 1 for labels in draws.values())
    assert len(set(map(tuple, draws.values()))) > 1


def test_other_is_no_class(corpus: Path, tmp_path: Path) -> None:
    votes = {
        "F000": ["Other;", "Other;", "Neutral;"],
        "M000": ["Other;", "Neutral;", "Anger; Neutral; Other;"],
        "F001": [";", "", " "],
    }
    rewrite(corpus, **votes)
    labels = labels_of(corpus, tmp_path / "data")
    assert "Ses03F_impro01_F000" not in labels
    assert labels["Ses03F_impro01_M000"] == "neu"
    assert "Ses03F_impro01_F001" not in labels


def test_label_of_the_release(mini: tuple[Path, MiniCorpus], tmp_path: Path) -> None:
    labels = labels_of(mini[0], tmp_path / "data", label_rule="release", dialogs="all")
    expected = {turn.utt: turn.code for turn in mini[1].turns if turn.code not in ("xxx", "oth") and turn.utt != NO_WAV}
    assert labels == expected
    assert "Ses01F_impro01_F001" not in labels  # xxx


def test_four_classes(mini: tuple[Path, MiniCorpus], tmp_path: Path) -> None:
    nine = labels_of(mini[0], tmp_path / "nine")
    four = labels_of(mini[0], tmp_path / "four", classes="4")
    names = {"ang": "ang", "hap": "hap", "exc": "hap", "sad": "sad", "neu": "neu"}
    assert four == {utt: names[label] for utt, label in nine.items() if label in names}
    assert "exc" in nine.values()


def test_soft_labels_are_shares_of_votes(corpus: Path, tmp_path: Path) -> None:
    """Each annotator has one vote, divided among the labels given; Other is left out."""
    rewrite(
        corpus,
        F000=["Anger;", "Anger;", "Sadness;"],
        M000=["Excited; Happiness;", "Happiness;", "Sadness;"],
        F001=["Neutral;", "Other; Neutral;", "Other;"],
        M001=["Happiness;", "Happiness;", "Frustration; Excited;"],
    )

    def shares(classes: str) -> dict[str, list[float]]:
        fold = prepared(corpus, tmp_path / f"data{classes}", classes=classes)[0]
        assert together(fold, "utt2emotion_soft").keys() == together(fold, "utt2emotion").keys()
        return {
            u[-4:]: list(map(float, t.split())) for u, t in together(fold, "utt2emotion_soft").items() if "03F" in u
        }

    # ang hap exc sad neu fru fea sur dis
    nine = shares("9")
    assert nine["F000"] == pytest.approx([2 / 3, 0, 0, 1 / 3, 0, 0, 0, 0, 0], abs=1e-5)
    assert nine["M000"] == pytest.approx([0, 1.5 / 3, 0.5 / 3, 1 / 3, 0, 0, 0, 0, 0], abs=1e-5)
    assert nine["F001"] == pytest.approx([0, 0, 0, 0, 1, 0, 0, 0, 0], abs=1e-5)
    # ang hap sad neu
    four = shares("4")
    assert four["M000"] == pytest.approx([0, 2 / 3, 1 / 3, 0], abs=1e-5)
    assert four["M001"] == pytest.approx([0, 1, 0, 0], abs=1e-5)


def test_utterances_without_emotion_are_kept_for_gender(mini: tuple[Path, MiniCorpus], tmp_path: Path) -> None:
    dropped = prepared(mini[0], tmp_path / "a", label_rule="release")[0]
    kept = prepared(mini[0], tmp_path / "b", label_rule="release", keep_unlabelled="true")[0]
    assert together(dropped, "utt2gender").keys() == together(dropped, "utt2emotion").keys()
    assert together(kept, "utt2emotion") == together(dropped, "utt2emotion")
    assert set(together(kept, "utt2gender")) - set(together(dropped, "utt2gender")) == {
        "Ses01F_impro01_F001", "Ses01F_impro01_M002",
    }  # fmt: skip


def test_windows_line_ends_change_nothing(mini: tuple[Path, MiniCorpus], corpus: Path, tmp_path: Path) -> None:
    assert b"\r\n" in (corpus / "Session2/dialog/EmoEvaluation/Ses02F_impro01.txt").read_bytes()
    for path in corpus.glob("Session*/dialog/EmoEvaluation/Ses*.txt"):
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    before = prepared(mini[0], tmp_path / "a")[0]
    after = prepared(corpus, tmp_path / "b")[0]
    for name in ("utt2emotion", "utt2emotion_soft", "utt2affect"):
        assert together(before, name) == together(after, name)


# --- protocols


@pytest.mark.parametrize("protocol", ["loso5", "loso10"])
def test_speakers_are_in_one_set_and_utterances_in_one_test_fold(
    mini: tuple[Path, MiniCorpus], tmp_path: Path, protocol: str
) -> None:
    folds = prepared(mini[0], tmp_path / "data", protocol=protocol)
    tested = []
    for number, fold in enumerate(folds):
        speakers = {name: set(found["utt2spk"].values()) for name, found in fold.items()}
        assert not speakers["train"] & speakers["dev"]
        assert not speakers["train"] & speakers["test"]
        assert not speakers["dev"] & speakers["test"]
        assert sum(len(found["utt2spk"]) for found in fold.values()) == 78
        tested += list(fold["test"]["utt2spk"])
        if protocol == "loso5":
            session, following = number + 1, (number + 1) % 5 + 1
            assert speakers["test"] == {f"Ses0{session}F", f"Ses0{session}M"}
            assert speakers["dev"] == {f"Ses0{following}F", f"Ses0{following}M"}
        else:
            session, gender = number // 2 + 1, "FM"[number % 2]
            assert speakers["test"] == {f"Ses0{session}{gender}"}
            assert speakers["dev"] == {f"Ses0{session}{'MF'[number % 2]}"}
    assert len(tested) == len(set(tested)) == 78


def test_split_of_the_paper(mini: tuple[Path, MiniCorpus], tmp_path: Path) -> None:
    """6:2:2, the same for the same seed; its speakers are in several sets, and stage 1 says so."""
    (fold,) = prepared(mini[0], tmp_path / "a")
    sizes = [len(fold[name]["utt2spk"]) for name in ("train", "dev", "test")]
    assert sizes == [47, 15, 16]  # 0.6 and 0.8 of 78, rounded
    assert len(together(fold, "utt2spk")) == 78
    assert set(fold["train"]["utt2spk"].values()) & set(fold["test"]["utt2spk"].values())
    assert [prepared(mini[0], tmp_path / "b")[0][name]["utt2spk"] for name in fold] == [
        found["utt2spk"] for found in fold.values()
    ]
    other = prepared(mini[0], tmp_path / "c", label_seed="1")[0]
    assert other["test"]["utt2spk"].keys() != fold["test"]["utt2spk"].keys()
    assert "the sets share all speakers (they leak)" in prepare(mini[0], tmp_path / "a").stderr
    assert "leak" not in prepare(mini[0], tmp_path / "a", protocol="loso5").stderr


def test_order_of_lines_plays_no_part(corpus: Path, mini: tuple[Path, MiniCorpus], tmp_path: Path) -> None:
    for dialog, turns in mini[1].dialogs.items():
        write_evaluation(corpus, dialog, turns[::-1])
    before, after = prepared(mini[0], tmp_path / "a")[0], prepared(corpus, tmp_path / "b")[0]
    for name in before:
        assert before[name]["utt2emotion"] == after[name]["utt2emotion"]


@pytest.mark.parametrize("folder", ["all", "folds/fold5/train", "folds/fold5/dev", "folds/fold5/test"])
def test_kaldi_rules_hold(mini: tuple[Path, MiniCorpus], tmp_path: Path, folder: str) -> None:
    prepared(mini[0], tmp_path / "data", protocol="loso5")
    tasks = None if folder == "all" else str(RECIPE / "conf/tasks_affect.yaml")
    labels = "no labels" if folder == "all" else "affect"
    assert labels in validate(tmp_path / "data" / folder, feats=False, tasks_path=tasks)


# --- what is wrong


def error(root: Path, data: Path) -> str:
    result = prepare(root, data)
    assert result.status == 1
    assert result.stdout == ""
    assert not data.exists()
    (line,) = result.stderr.splitlines()
    return line


def test_bad_roots(tmp_path: Path, corpus: Path) -> None:
    data = tmp_path / "data"
    assert "no such directory; give the corpus' folder with --iemocap_root" in error(tmp_path / "none", data)
    (tmp_path / "empty").mkdir()
    assert "holds no Session1 to Session5" in error(tmp_path / "empty", data)
    shutil.rmtree(corpus / "Session4")
    assert f"{corpus}/Session4: no such directory; all five sessions are needed" in error(corpus, data)


@pytest.mark.parametrize("folder", ["dialog/EmoEvaluation", "sentences/wav", "sentences/wav/Ses03M_impro02"])
def test_missing_folders(corpus: Path, tmp_path: Path, folder: str) -> None:
    shutil.rmtree(corpus / "Session3" / folder)
    assert f"Session3/{folder}: no such directory" in error(corpus, tmp_path / "data")


def test_missing_evaluation_file(corpus: Path, tmp_path: Path) -> None:
    path = corpus / "Session5/dialog/EmoEvaluation/Ses05M_impro02.txt"
    path.unlink()
    assert f"{path}: no such file" in error(corpus, tmp_path / "data")


def test_many_lost_files(corpus: Path, tmp_path: Path) -> None:
    """More than 5 %: 7 of 120."""
    for wav in sorted((corpus / "Session1/sentences/wav/Ses01F_script01_1").glob("*.wav"))[:6]:
        wav.unlink()
    assert "7 utterances have no wav (120 have a label), the first is Ses01F_script01_1_F000" in error(
        corpus, tmp_path / "data"
    )
    for number in range(6):
        write_tone(corpus / f"Session1/sentences/wav/Ses01F_script01_1/Ses01F_script01_1_F{number:03d}.wav", 0, 0.02)
        write_tone(corpus / f"Session1/sentences/wav/Ses01F_script01_1/Ses01F_script01_1_M{number:03d}.wav", 0, 0.02)
        write_tone(corpus / f"Session1/sentences/wav/Ses01F_script01_1/Ses01F_script01_1_M{number:03d}b.wav", 0, 0.02)
    assert "utterances have no label" in error(corpus, tmp_path / "data")


def test_broken_wav(corpus: Path, tmp_path: Path) -> None:
    wav = corpus / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    wav.write_bytes(b"")
    assert f"Ses01F_impro01_F000: {wav}: no readable audio" in error(corpus, tmp_path / "data")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\tneu\t", "\tmad\t", "label 'mad' is unknown; the release has ang"),
        ("C-E2:\tSadness;", "C-E2:\tGrumpy;", "label 'grumpy' is unknown; the annotators had anger"),
        ("[0.0000 - ", "[0.0000 ", "is not `[start - end] utterance label [v, a, d]`"),
        (
            "\tSes02M_impro02_F000\t",
            "\tSes02M_impro03_F000\t",
            "'Ses02M_impro03_F000' is no utterance of Ses02M_impro02",
        ),
        ("\tSes02M_impro02_M000\t", "\tSes02M_impro02_F000\t", "Ses02M_impro02_F000: stands twice"),
        ("[1.0000, 5.0000, ", "[1.0000, high, ", "are not three numbers"),
        ("% [START", "C-E2:\tNeutral;\t()\r\n% [START", "an annotator's line before the first turn"),
        ("C-E2:\tSadness", "E2\tSadness", "is no line of an evaluation"),
        ("C-E2:\tSadness", "C-E2\tSadness", "is not `C-<annotator>: label; ...`"),
    ],
)
def test_bad_evaluations(corpus: Path, tmp_path: Path, old: str, new: str, message: str) -> None:
    path = corpus / "Session2/dialog/EmoEvaluation/Ses02M_impro02.txt"
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
    line = error(corpus, tmp_path / "data")
    assert line.startswith(f"error: {path}:")
    assert message in line


def test_empty_evaluation(corpus: Path, tmp_path: Path) -> None:
    path = corpus / "Session2/dialog/EmoEvaluation/Ses02M_impro02.txt"
    path.write_text("\n")
    assert f"{path}: holds no turn" in error(corpus, tmp_path / "data")
