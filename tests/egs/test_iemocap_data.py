"""IEMOCAP's folders with all their quirks, protocols, and what is wrong in one line."""

import shutil
from pathlib import Path

import pytest
from iemocap_miniature import NO_LABEL, NO_WAV, MiniCorpus, write_evaluation, write_tone
from iemocap_prepare import RECIPE, prepare, prepared, tables, together

from espnet2_ext.data.validate_data_dir import validate

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
