"""Keep the utterances of usable length, with their tables, and print the set's statistics (stage 3)."""

import argparse
from pathlib import Path

import numpy as np

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.fileio.table import read_table, write_table


def filter_dump(source: Path, out: Path, min_frames: int, max_frames: int) -> str:
    """Copy the tables of a dump directory, utterances of `min_frames` to `max_frames` frames only (0: no limit).

    Arks stay where they are. A label file, or stream, of which no utterance is left is left out. feats.scp is written
    last.

    Returns:
        One line about the set.

    Raises:
        UserError: No utterance is left, or the directory is not one of stage 2.
    """
    frames = _read_frames(source / "utt2num_frames")
    kept = {utt for utt, n in frames.items() if n >= min_frames and (max_frames == 0 or n <= max_frames)}
    if not kept:
        raise UserError(f"{source}: no utterance has {min_frames} to {max_frames or 'any'} frames; see --min_frames")
    out.mkdir(parents=True, exist_ok=True)
    names = [path.name for path in source.iterdir() if _is_table(path)]
    tables = {
        name: {utt: value for utt, value in read_table(source / name).items() if utt in kept} for name in sorted(names)
    }
    feats = tables.pop("feats.scp", {})
    if not feats:
        raise UserError(f"{source}/feats.scp: none of the utterances of utt2num_frames; run stage 2 again")
    config = _read_config(source / "feature.yaml")
    for path in out.iterdir():
        if _is_table(path) and path.name != "feats.scp" and not tables.get(path.name):
            path.unlink()
    for name, rows in tables.items():
        if rows:
            write_table(out / name, rows)
    with atomic_path(out / "feature.yaml") as temporary:
        temporary.write_text(config, encoding="utf-8")
    write_table(out / "feats.scp", feats)
    counts = np.array([frames[utt] for utt in kept])
    speakers = len({speaker for utt, speaker in read_table(source / "utt2spk").items() if utt in kept})
    seconds = sum(float(v) for utt, v in read_table(source / "utt2dur").items() if utt in kept)
    return (
        f"{out}: {len(kept)} of {len(frames)} utterances, {speakers} speakers, {seconds / 60:.1f} minutes, "
        f"frames {counts.min()} to {counts.max()}, median {np.median(counts):.0f}"
    )


def _is_table(path: Path) -> bool:
    return path.name.startswith("utt2") or path.suffix == ".scp"


def _read_frames(path: Path) -> dict[str, int]:
    rows = read_table(path)
    bad = [utt for utt, count in rows.items() if not count.isdecimal()]
    if bad:
        raise UserError(f"{path}: {bad[0]}: {rows[bad[0]]!r} is not a number of frames; run stage 2 again")
    return {utt: int(count) for utt, count in rows.items()}


def _read_config(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read, run stage 2 again: {error}") from error


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="dump/<feature>/org/<set>")
    parser.add_argument("out", type=Path, help="dump/<feature>/<set>")
    parser.add_argument("--min-frames", type=int, default=1)
    parser.add_argument("--max-frames", type=int, default=0, help="0: no limit")
    args = parser.parse_args()
    print(filter_dump(args.source, args.out, args.min_frames, args.max_frames))


if __name__ == "__main__":
    run_cli(main)
