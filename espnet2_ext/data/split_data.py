"""Split a data directory into parts of about equal length for parallel jobs: <dir>/split<nj>/<job>."""

import argparse
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from espnet2_ext.data.data_dir import read_dir, select, write_dir
from espnet2_ext.data.subset_data_dir import positive
from espnet2_ext.errors import UserError, run_cli


def boundaries(durations: Sequence[float], n_jobs: int) -> list[int]:
    """Return the n_jobs + 1 places at which a sequence is cut into parts of about equal sum, none of them empty.

    Args:
        durations: Lengths of the utterances in order, in seconds (any unit does).
        n_jobs: Number of parts, at most as many as utterances.
    """
    total, cuts, passed = sum(durations), [0], 0.0
    for place, duration in enumerate(durations):
        # A part ends where its share is reached, or where the rest is just enough for one utterance a part.
        part = len(cuts)
        share = total * part / n_jobs
        full = passed + duration / 2 > share
        forced = len(durations) - place <= n_jobs - part
        if part < n_jobs and place > cuts[-1] and (full or forced):
            cuts.append(place)
        passed += duration
    return [*cuts, len(durations)]


def split(directory: Path, n_jobs: int) -> Path:
    """Split a data directory; return the folder of the parts.

    The parts are runs of the sorted utterances, so their features put one after the other are sorted too.

    Raises:
        UserError: There are fewer utterances than parts.
    """
    tables = read_dir(directory)
    utts = sorted(tables["utt2spk"])
    if len(utts) < n_jobs:
        raise UserError(f"{directory}: {len(utts)} utterances cannot be split {n_jobs} ways; run with --nj {len(utts)}")
    durations = [float(tables.get("utt2dur", {}).get(utt, 1.0)) for utt in utts]
    folder = directory / f"split{n_jobs}"
    if folder.exists():
        shutil.rmtree(folder)
    for job, (start, end) in enumerate(pairwise(boundaries(durations, n_jobs)), 1):
        write_dir(folder / str(job), select(tables, utts[start:end]))
    return folder


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="split_data.sh", description=__doc__, allow_abbrev=False)
    parser.add_argument("directory", type=Path)
    parser.add_argument("nj", type=positive, help="number of parts")
    options = parser.parse_args()
    print(split(options.directory, options.nj))
    return 0


if __name__ == "__main__":
    run_cli(main)
