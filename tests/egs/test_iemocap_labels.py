"""IEMOCAP's annotators: majorities, ties, other rules, soft labels."""

from pathlib import Path

import pytest
from iemocap_miniature import NO_WAV, MiniCorpus
from iemocap_prepare import labels_of, prepared, rewrite, together


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
