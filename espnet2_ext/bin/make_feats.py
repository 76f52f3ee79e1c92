"""Compute the features of the files in a wav.scp and write them into an archive: one job of make_ark_feats.sh."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.feature import load_feature
from espnet2_ext.feature.abs_feature import AbsFeature
from espnet2_ext.feature.extraction import Extraction, extract_to_ark
from espnet2_ext.fileio.ark_writer import ArkWriter
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.fileio.table import read_table, write_table
from espnet2_ext.fileio.wave_reader import WaveWriter

_FILE_SECONDS = 0.5
_LINE_SECONDS = 10.0


class Progress:
    """Counts utterances: for the script that watches all jobs in a file, for people in the job's log.

    Args:
        total: Utterances of this job.
        path: File that holds the number done, or None.
    """

    def __init__(self, total: int, path: Path | None) -> None:
        self._total, self._path = total, path
        self._start = self._next_file = time.monotonic()
        self._next_line = self._start + _LINE_SECONDS

    def __call__(self, done: int) -> None:
        """Report ``done`` utterances, a line now and then and at the end."""
        now = time.monotonic()
        if self._path is not None and (now >= self._next_file or done == self._total):
            self._next_file = now + _FILE_SECONDS
            self._path.write_text(f"{done}\n", encoding="ascii")
        if now >= self._next_line or done == self._total:
            self._next_line = now + _LINE_SECONDS
            print(f"{done} of {self._total} utterances, {now - self._start:.1f} s", flush=True)


def write_tables(directory: Path, result: Extraction) -> None:
    """Write utt2num_frames, utt2dur and make_feats.json beside the script file."""
    write_table(directory / "utt2num_frames", {name: str(count) for name, count in result.frames.items()})
    write_table(directory / "utt2dur", {name: f"{seconds:.6g}" for name, seconds in result.seconds.items()})
    counts = {
        "utterances": len(result.frames),
        "resampled": result.resampled,
        "mixed_down": result.mixed_down,
        "broken": result.broken,
    }
    with atomic_path(directory / "make_feats.json") as temporary:
        temporary.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")


def str2bool(value: str) -> bool:
    """Read true or false."""
    if value not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{value!r} is not true or false")
    return value == "true"


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make_feats", description=__doc__, allow_abbrev=False)
    parser.add_argument("--wav-scp", type=Path, required=True, help="lines <utterance> <path>")
    parser.add_argument("--feature", type=Path, required=True, help="YAML of name and options")
    parser.add_argument("--out-ark", type=Path, required=True)
    parser.add_argument("--out-scp", type=Path, required=True, help="utt2num_frames, utt2dur, counts go beside it")
    parser.add_argument("--ark-name", help="the archive's path in the scp, if it will be moved there")
    parser.add_argument("--compression", type=int, choices=range(1, 8), help="Kaldi's method (default: the feature's)")
    parser.add_argument("--skip-broken", type=str2bool, default=False, help="true: leave out what cannot be read")
    parser.add_argument("--progress-file", type=Path, help="kept at the number of utterances done")
    return parser.parse_args(argv)


def _writer(args: argparse.Namespace, feature: AbsFeature, wavs: dict[str, str]) -> ArkWriter | WaveWriter:
    if not feature.reads_wavs:
        return ArkWriter(args.out_ark, args.out_scp, args.compression or feature.ark_compression, args.ark_name)
    if args.compression:
        raise UserError(f"--compression {args.compression}: with store: wav no archive is written; leave it out")
    return WaveWriter(args.out_scp, wavs)


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    args = parse_args(argv)
    feature = load_feature(args.feature)
    wavs = read_table(args.wav_scp)
    with _writer(args, feature, wavs) as writer:
        result = extract_to_ark(wavs, feature, writer, Progress(len(wavs), args.progress_file))
        for name, reason in result.broken.items():
            print(f"broken: {name}: {reason}", file=sys.stderr)
        if result.broken and not args.skip_broken:
            name, reason = next(iter(result.broken.items()))
            raise UserError(
                f"{args.wav_scp}: {len(result.broken)} of {len(wavs)} utterances are broken, the first is {name} "
                f"({reason}); mend them or give --skip-broken true"
            )
        if not result.frames:
            raise UserError(f"{args.wav_scp}: none of {len(wavs)} utterances could be read; see the lines above")
        write_tables(Path(os.path.dirname(args.out_scp) or "."), result)


if __name__ == "__main__":
    run_cli(main)
