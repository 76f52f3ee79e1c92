#!/usr/bin/env python3
"""Make a dump directory as stage 2 does, from functionals that came with a corpus: <folder>/<id>.csv.

Each file has a header and one row of functionals, after cells that name the recording. The data directory has the file
file_id2utt: the utterance of each id.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from espnet2_ext.data.data_dir import read_dir, read_rows, select, write_tables
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.feature import load_feature
from espnet2_ext.fileio.ark_writer import ArkWriter


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feats", type=Path, required=True, help="folder of the csv files")
    parser.add_argument("--feature", type=Path, required=True, help="yaml of the same functionals")
    parser.add_argument("data", type=Path, help="data directory of the set")
    parser.add_argument("dump", type=Path, help="dump directory, dump/<tag>/org/<set>")
    arguments = parser.parse_args()
    feature = load_feature(arguments.feature)
    tables = read_dir(arguments.data)
    ids = {utt: name for name, utt in read_rows(arguments.data / "file_id2utt").items()}
    arguments.dump.mkdir(parents=True, exist_ok=True)
    (arguments.dump / "feature.yaml").write_text(yaml.safe_dump(feature.config(), sort_keys=False), encoding="utf-8")
    kept: list[str] = []
    with ArkWriter(arguments.dump / "feats.ark", arguments.dump / "feats.scp") as writer:
        for utt in sorted(tables["utt2spk"]):
            path = arguments.feats / f"{ids[utt]}.csv"
            if path.is_file():
                writer.write(utt, read_functionals(path, feature.dim)[None, :])
                kept.append(utt)
        if len(kept) < 0.95 * len(tables["utt2spk"]):
            raise UserError(
                f"{arguments.feats}: has only {len(kept)} of {len(tables['utt2spk'])} recordings of {arguments.data}; "
                "unpack it again, or extract the features: leave it out"
            )
        # Before feats.scp, which is put in place when the block ends: where it stands, all is there.
        write_tables(arguments.dump, {**select(tables, kept), "utt2num_frames": dict.fromkeys(kept, "1")})
    print(f"{arguments.dump}: {len(kept)} of {len(tables['utt2spk'])} recordings, {feature.dim} functionals each")


def read_functionals(path: Path, count: int) -> np.ndarray:
    """Return the last `count` cells of the row below the header, (count,) float32.

    Raises:
        UserError: The file is not of this form.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = [line for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    delimiter = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    rows = list(csv.reader(lines, delimiter=delimiter))
    if len(rows) != 2 or len(rows[1]) < count:
        raise UserError(f"{path}: no header with one row of {count} functionals; unpack it again")
    try:
        values = np.array([float(cell) for cell in rows[1][-count:]], dtype=np.float32)
    except ValueError as error:
        raise UserError(f"{path}: {error}; unpack it again") from error
    if not np.isfinite(values).all():
        raise UserError(f"{path}: a functional is not finite; unpack it again")
    return values


if __name__ == "__main__":
    run_cli(main)
