"""Split a data directory into sets that share no speaker, e.g. train, dev and test."""

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_ext.data.data_dir import group_by_speaker, read_dir, select, write_dir
from espnet2_ext.errors import UserError, run_cli

DEFAULT_SETS = ("train", "dev", "test")
DEFAULT_FRACTIONS = (0.8, 0.1, 0.1)


def assign_speakers(utts_by_speaker: Mapping[str, int], fractions: Sequence[float], seed: int) -> dict[str, int]:
    """Return the number of the set of every speaker.

    Speakers are taken in the order of a hash of seed and name, so the order of the input plays no part; each goes to
    the set that has the least of its share of utterances. Shares are met as closely as whole speakers allow.

    Args:
        utts_by_speaker: Number of utterances of every speaker.
        fractions: Share of every set, positive, of any sum.
        seed: Seed.

    Raises:
        UserError: There are fewer speakers than sets.
    """
    if len(utts_by_speaker) < len(fractions):
        raise UserError(
            f"{len(utts_by_speaker)} speakers cannot fill {len(fractions)} sets that share none; give fewer sets or "
            f"more speakers"
        )
    order = sorted(utts_by_speaker, key=lambda spk: (hashlib.sha256(f"{seed}:{spk}".encode()).digest(), spk))
    filled = [0] * len(fractions)
    assigned = {}
    for spk in order:
        target = min(range(len(fractions)), key=lambda i: filled[i] / fractions[i])
        filled[target] += utts_by_speaker[spk]
        assigned[spk] = target
    return assigned


def split_by_speaker(
    source: Path, parent: Path, names: Sequence[str], fractions: Sequence[float], seed: int
) -> dict[str, tuple[int, int]]:
    """Write the sets as `<parent>/<name>`; return the numbers of utterances and speakers by name.

    Raises:
        UserError: There are fewer speakers than sets.
    """
    tables = read_dir(source)
    groups = group_by_speaker(tables["utt2spk"])
    assigned = assign_speakers({spk: len(utts) for spk, utts in groups.items()}, fractions, seed)
    counts = {}
    for number, name in enumerate(names):
        speakers = [spk for spk in groups if assigned[spk] == number]
        utts = [utt for spk in speakers for utt in groups[spk]]
        write_dir(parent / name, select(tables, utts))
        counts[name] = (len(utts), len(speakers))
    return counts


def check_fractions(names: Sequence[str], fractions: Sequence[float]) -> None:
    """Check that there is one positive share for every set, and no set twice.

    Raises:
        UserError: There is not.
    """
    if len(names) != len(fractions) or len(set(names)) != len(names) or min(fractions) <= 0:
        raise UserError(f"sets {' '.join(names)} and fractions {fractions}: give one positive share for each set")


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="split_by_speaker.sh", description=__doc__, allow_abbrev=False)
    parser.add_argument("--names", nargs="+", default=list(DEFAULT_SETS), help="names of the sets")
    parser.add_argument("--fractions", nargs="+", type=float, default=list(DEFAULT_FRACTIONS), help="their shares")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("source", type=Path)
    parser.add_argument("parent", type=Path, help="the sets become <parent>/<name>")
    options = parser.parse_args()
    check_fractions(options.names, options.fractions)
    if options.source.resolve() in [(options.parent / name).resolve() for name in options.names]:
        raise UserError(f"{options.source}: would be overwritten by a set; name another parent")
    counts = split_by_speaker(options.source, options.parent, options.names, options.fractions, options.seed)
    for name, (utts, speakers) in counts.items():
        print(f"{options.parent / name}: {utts} utterances, {speakers} speakers")
    return 0


if __name__ == "__main__":
    run_cli(main)
