#!/usr/bin/env python3
"""Turn info.csv into Kaldi data directories <data_dir>/{train,dev,test}; unchanged files stay untouched."""

import argparse
import csv
import hashlib
from collections import defaultdict
from pathlib import Path

from make_corpus import wav_path
from vocal_burst.channel import RATE
from vocal_burst.corpus import SPLITS
from vocal_burst.emotion import EMOTIONS

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.table import write_table

Table = dict[str, str]


def main() -> None:
    """Parse options, write the three data directories."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that make_corpus.py wrote")
    parser.add_argument("--data_dir", type=Path, required=True, help="folder of the data directories")
    arguments = parser.parse_args()
    try:
        with open(arguments.corpus / "info.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        digest = hashlib.sha256((arguments.corpus / "corpus.json").read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"{arguments.corpus}: not a complete corpus ({error}); run local/data.sh") from error
    for split in SPLITS:
        tables = data_tables(arguments.corpus, [row for row in rows if row["Split"] == split])
        folder = arguments.data_dir / split
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            write_if_changed(folder / name, table)
        # Stages know wavs by their paths only: this file tells them that other wavs lie there.
        write_if_changed(folder / "corpus_id", {"sha256": digest})
        print(f"{folder}: {len(tables['wav.scp'])} utterances, {len(tables['spk2utt'])} speakers")


def data_tables(corpus: Path, rows: list[dict[str, str]]) -> dict[str, Table]:
    """Build the files of one data directory: file name -> utterance (or speaker) -> rest of the line.

    An emotion without a label is `nan`; an utterance without any emotion label has no line in utt2emotion.
    """
    tables: dict[str, Table] = defaultdict(dict)
    for row in rows:
        utterance, speaker = row["File_ID"], row["Subject_ID"]
        tables["wav.scp"][utterance] = str(wav_path(corpus, speaker, utterance))
        tables["utt2spk"][utterance] = speaker
        tables["spk2utt"][speaker] = f"{tables['spk2utt'].get(speaker, '')} {utterance}".strip()
        tables["utt2dur"][utterance] = f"{int(row['Samples']) / RATE:.4f}"
        tables["utt2age"][utterance] = row["Age"]
        tables["utt2country"][utterance] = row["Country"]
        tables["utt2type"][utterance] = row["Type"]
        if any(row[emotion] for emotion in EMOTIONS):
            tables["utt2emotion"][utterance] = " ".join(row[emotion] or "nan" for emotion in EMOTIONS)
    return tables


def write_if_changed(path: Path, table: Table) -> None:
    """Write a table unless the file already holds it, so that stages that follow see no new input."""
    text = "".join(f"{key} {table[key]}\n" for key in sorted(table))
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_table(path, table)


if __name__ == "__main__":
    run_cli(main)
