"""Make a data directory with some of the utterances of another one."""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from espnet2_ext.data.data_dir import Rows, group_by_speaker, read_dir, read_list, select, write_dir
from espnet2_ext.errors import UserError, run_cli


def _listed(path: Path, known: set[str], kind: str) -> set[str]:
    """Return the ids in a list; each must be known."""
    ids = read_list(path)
    for name in ids:
        if name not in known:
            raise UserError(f"{path}: {name}: no such {kind} in the data directory; delete the line")
    return set(ids)


def choose(
    utt2spk: Rows,
    *,
    first: int | None = None,
    at_random: int | None = None,
    per_speaker: int | None = None,
    seed: int = 0,
) -> list[str]:
    """Return the sorted utterances that a rule chooses; all of them without one.

    The draw depends on the seed and the set of utterances only, not on their order in the file.

    Args:
        utt2spk: Speaker of every utterance.
        first: Number of utterances from the start.
        at_random: Number of utterances drawn at random.
        per_speaker: Number of utterances drawn at random of every speaker (all, where one has fewer).
        seed: Seed of the draw.

    Raises:
        UserError: There are not as many.
    """
    utts = sorted(utt2spk)
    wanted = first if first is not None else at_random
    if wanted is not None and wanted > len(utts):
        raise UserError(f"{wanted} utterances are wanted and {len(utts)} are there; ask for fewer")
    generator = random.Random(seed)
    if first is not None:
        return utts[:first]
    if at_random is not None:
        return sorted(generator.sample(utts, at_random))
    if per_speaker is not None:
        groups = group_by_speaker(utt2spk).values()
        return sorted(utt for group in groups for utt in generator.sample(group, min(per_speaker, len(group))))
    return utts


def subset(
    source: Path, target: Path, *, utts: Path | None, speakers: Path | None, **rule: int | None
) -> tuple[int, int]:
    """Write the chosen utterances of `source` to `target`; return their number and the number before.

    Raises:
        UserError: A list names what is not there, or nothing is left.
    """
    tables = read_dir(source)
    utt2spk = tables["utt2spk"]
    keep = set(utt2spk)
    if utts is not None:
        keep &= _listed(utts, keep, "utterance")
    if speakers is not None:
        chosen = _listed(speakers, set(utt2spk.values()), "speaker")
        keep = {utt for utt in keep if utt2spk[utt] in chosen}
    keep = set(choose({utt: utt2spk[utt] for utt in keep}, **rule))
    write_dir(target, select(tables, keep))
    return len(keep), len(utt2spk)


def positive(text: str) -> int:
    """Parse a count for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="subset_data_dir.sh", description=__doc__, allow_abbrev=False)
    parser.add_argument("--utts", type=Path, help="file with the utterances to keep, one a line")
    parser.add_argument("--speakers", type=Path, help="file with the speakers to keep, one a line")
    rule = parser.add_mutually_exclusive_group()
    rule.add_argument("--first", type=positive, help="number of utterances from the start")
    rule.add_argument("--random", type=positive, dest="at_random", help="number of utterances drawn at random")
    rule.add_argument("--per-spk", type=positive, dest="per_speaker", help="number drawn at random of every speaker")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw (default 0)")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = vars(parser.parse_args(arguments))
    if options["source"].resolve() == options["target"].resolve():
        raise UserError(f"{options['target']}: source and target are the same; name another target")
    kept, before = subset(**options)
    print(f"{options['target']}: {kept} of {before} utterances of {options['source']}")
    return 0


if __name__ == "__main__":
    run_cli(main)
