#!/usr/bin/env python3
"""Make data/all, and data/<name>/fold<N>/{train,dev,test} for each fold of a protocol, from the corpus' folder.

data/all has every utterance and no labels: features are made of it once. The folds' directories name the same wavs and
hold the label files: utt2emotion, utt2emotion_soft (shares of the annotators' votes), utt2gender and utt2affect.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from corpus import GENDERS, Corpus, Utterance, read_corpus
from emotion_labels import CLASSES, paper_label, release_label, to_classes, vote_shares
from protocols import LEAKING, PROTOCOLS, SETS, make_folds

from espnet2_ext.data.data_dir import Rows, select, write_dir
from espnet2_ext.data.wav_info import duration
from espnet2_ext.errors import UserError, run_cli

# Turns with a label in the release.
RELEASED = 10039


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with Session1 to Session5")
    parser.add_argument("--data_dir", type=Path, required=True, help="folder of the data directories")
    parser.add_argument("--name", required=True, help="name of the folds' folder below it")
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    parser.add_argument("--dialogs", choices=("improvised", "all"), required=True)
    parser.add_argument("--classes", type=int, choices=sorted(CLASSES), required=True)
    parser.add_argument("--label_rule", choices=("paper", "release"), required=True)
    parser.add_argument("--keep_unlabelled", choices=("true", "false"), required=True)
    parser.add_argument("--label_seed", type=int, required=True, help="of ties and of the random split")
    arguments = parser.parse_args()
    corpus = read_corpus(arguments.root)
    labels = emotion_labels(corpus.utterances, arguments.label_rule, arguments.classes, arguments.label_seed)
    chosen = [u for u in corpus.utterances if u.improvised or arguments.dialogs == "all"]
    if arguments.keep_unlabelled == "false":
        chosen = [u for u in chosen if u.utt in labels]
    folds = make_folds(arguments.protocol, chosen, arguments.label_seed)
    # All that can fail comes before the first file is written.
    tables = audio_tables(corpus.utterances)
    labelled = {**tables, **label_tables(chosen, labels, CLASSES[arguments.classes])}
    warn(corpus, arguments.protocol)
    write_dir(arguments.data_dir / "all", tables)
    for number, fold in enumerate(folds, 1):
        for name in SETS:
            directory = arguments.data_dir / arguments.name / f"fold{number}" / name
            write_dir(directory, select(labelled, {utterance.utt for utterance in fold[name]}))
    print(report(corpus, chosen, labels))
    for number, fold in enumerate(folds, 1):
        print(f"fold {number}: {', '.join(f'{name} {len(fold[name])}' for name in SETS)} utterances")


def emotion_labels(utterances: Sequence[Utterance], rule: str, classes: int, seed: int) -> dict[str, str]:
    """Return the class of each utterance that has one."""
    found = {}
    for utterance in utterances:
        label = paper_label(utterance.turn, seed) if rule == "paper" else release_label(utterance.turn)
        label = to_classes(label, CLASSES[classes])
        if label is not None:
            found[utterance.utt] = label
    return found


def audio_tables(utterances: Sequence[Utterance]) -> dict[str, Rows]:
    """Return utt2spk, wav.scp and utt2dur.

    Raises:
        UserError: An audio file cannot be read, or its path holds white space at an end.
    """
    tables: dict[str, Rows] = {"utt2spk": {}, "wav.scp": {}, "utt2dur": {}}
    for utterance in utterances:
        try:
            seconds = duration(utterance.wav)
        except UserError as error:
            raise UserError(f"{utterance.turn.utt}: {error}") from error
        tables["utt2spk"][utterance.utt] = utterance.speaker
        tables["wav.scp"][utterance.utt] = str(utterance.wav)
        tables["utt2dur"][utterance.utt] = f"{seconds:.6g}"
    return tables


def label_tables(utterances: Sequence[Utterance], labels: dict[str, str], classes: Sequence[str]) -> dict[str, Rows]:
    """Return the label files; soft labels are of the utterances that have a label."""
    names = ("utt2emotion", "utt2emotion_soft", "utt2gender", "utt2affect")
    tables: dict[str, Rows] = {name: {} for name in names}
    for utterance in utterances:
        utt = utterance.utt
        tables["utt2gender"][utt] = GENDERS[utterance.gender]
        tables["utt2affect"][utt] = " ".join(f"{rating:g}" for rating in utterance.turn.ratings)
        if utt not in labels:
            continue
        tables["utt2emotion"][utt] = labels[utt]
        shares = vote_shares(utterance.turn, classes)
        if shares is not None:
            tables["utt2emotion_soft"][utt] = " ".join(f"{share:.6g}" for share in shares)
    return tables


def warn(corpus: Corpus, protocol: str) -> None:
    """Say what is odd."""
    for lost, what in ((corpus.without_wav, "a label and no wav"), (corpus.without_turn, "a wav and no label")):
        if lost:
            print(f"warning: {len(lost)} utterances have {what}, the first is {lost[0]}; left out", file=sys.stderr)
    turns = len(corpus.utterances) + len(corpus.without_wav)
    if turns != RELEASED:
        print(f"warning: {turns} utterances have a label, in the release {RELEASED}", file=sys.stderr)
    if protocol in LEAKING:
        print(f"warning: protocol {protocol}: the sets share all speakers (they leak)", file=sys.stderr)


def report(corpus: Corpus, chosen: Sequence[Utterance], labels: dict[str, str]) -> str:
    """Return what was chosen, in one line."""
    counts = Counter(labels.get(utterance.utt, "without emotion") for utterance in chosen)
    listed = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    return f"{len(chosen)} of {len(corpus.utterances)} utterances: {listed}"


if __name__ == "__main__":
    run_cli(main)
