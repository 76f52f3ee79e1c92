#!/usr/bin/env python3
"""Make the corpus from the Debian packages: <out>/wav/<speaker>/<clip>.wav and <out>/labels.csv."""

import argparse
import csv
import hashlib
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import soundfile
from clip import RATE, decode_clip
from deb import find_debs, read_members

from espnet2_ext.errors import UserError, run_cli

PACKAGES = ("hedgewars-data", "openarena-081-players", "openarena-data")
VERBAL = {"0": "Burst", "1": "Word"}
SEX = {"": "", "f": "Female", "m": "Male"}
_COLUMNS = ("file", "speaker", "split", "type", "verbal", "sex", "intensity")
_TOLERANCE = 0.02  # seconds

Row = dict[str, str]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--debs", type=Path, required=True, help="folder with the packages (.deb)")
    parser.add_argument("--table", type=Path, required=True, help="which clips there are, and their labels")
    parser.add_argument("--out", type=Path, required=True, help="folder of the corpus; appears when it is complete")
    arguments = parser.parse_args()
    with open(arguments.table, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    debs = find_debs(arguments.debs, PACKAGES)
    temporary = arguments.out.with_name(f".{arguments.out.name}.{os.getpid()}")
    try:
        other = sum(make_package(debs[name], [r for r in rows if r["package"] == name], temporary) for name in PACKAGES)
        write_labels(rows, temporary / "labels.csv")
        if arguments.out.exists():
            shutil.rmtree(arguments.out)
        temporary.rename(arguments.out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if other:
        print(
            f"warning: {other} of {len(rows)} clips differ from the table's checksums: another decoder", file=sys.stderr
        )
    print(f"{arguments.out}: {len(rows)} clips")


def make_package(deb: Path, rows: list[Row], out: Path) -> int:
    """Write the clips of one package; return how many have other samples than the table's.

    Raises:
        UserError: The package is damaged or another version: a clip is missing, or its duration differs.
    """
    by_path = {row["path_inside_package"]: row for row in rows}
    other = 0
    for path, content in read_members(deb, list(by_path)):
        row = by_path[path]
        samples = decode_clip(content, f"{deb}: {path}")
        seconds = len(samples) / RATE
        if abs(seconds - float(row["duration"])) > _TOLERANCE:
            raise UserError(
                f"{deb}: {path}: lasts {seconds:.3f} s, not {row['duration']} s: it is another version; "
                "labels.csv is of Debian 12 (bookworm)"
            )
        other += hashlib.sha1(samples.astype("<i2").tobytes()).hexdigest() != row["sha1"]
        write_wav(out / "wav" / clip_file(row), samples)
    return other


def clip_file(row: Row) -> str:
    """Return `<speaker>/<clip>.wav`: the table's ids begin with the speaker."""
    return f"{row['speaker']}/{row['utt_id'].removeprefix(row['speaker'] + '_')}.wav"


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Write (N,) int16 samples at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, subtype="PCM_16")


def write_labels(rows: list[Row], path: Path) -> None:
    """Write the table that the data directories are made from: classes by name, an empty cell for a missing label."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for row in rows:
            labels = (row["type"].capitalize(), VERBAL[row["verbal"]], SEX[row["sex"]], row["intensity"])
            writer.writerow((clip_file(row), row["speaker"], row["split"], *labels))


if __name__ == "__main__":
    run_cli(main)
