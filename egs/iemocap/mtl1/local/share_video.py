#!/usr/bin/env python3
"""Give each data directory the lines of video.scp and video_counts that are of its utterances."""

import argparse
from pathlib import Path

from espnet2_ext.data.data_dir import read_utt2spk
from espnet2_ext.errors import run_cli
from espnet2_ext.fileio.table import read_table, write_table

NAMES = ("video_counts", "video.scp")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="folder with the tables of all utterances")
    parser.add_argument("directories", type=Path, nargs="+", help="data directories")
    arguments = parser.parse_args()
    tables = {name: read_table(arguments.source / name) for name in NAMES}
    for directory in arguments.directories:
        utts = read_utt2spk(directory)
        rows = {name: {utt: table[utt] for utt in utts if utt in table} for name, table in tables.items()}
        for name in NAMES:
            if rows[name]:
                write_table(directory / name, rows[name])
            else:
                (directory / name).unlink(missing_ok=True)
        print(f"{directory}: {len(rows['video.scp'])} of {len(utts)} utterances have video")


if __name__ == "__main__":
    run_cli(main)
