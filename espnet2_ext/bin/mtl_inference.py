"""Predict audio files with a trained model: wav, flac, ogg, mp3 of any rate; files, folders, or a wav.scp."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.fileio.table import read_table
from espnet2_ext.inference.mtl_inference import MTLInference
from espnet2_ext.inference.tables import WRITERS

EPILOG = """A file that cannot be read is named on standard error and left out; the others are predicted. A file of over
30 s is predicted in windows, and the windows' predictions are averaged. Exit status: 0 if every file was predicted,
1 if one was not or nothing was written, 2 for a wrong option."""
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


def list_files(sources: Sequence[Path]) -> dict[str, Path]:
    """Return audio files by utterance id: the path as given, or the key in a wav.scp.

    A file that comes twice is listed once.

    Raises:
        UserError: A folder holds no audio, a wav.scp cannot be read or holds a pipe, or two files have one id.
    """
    files: dict[str, Path] = {}
    for source in sources:
        if source.is_dir():
            found = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not found:
                raise UserError(f"{source}: holds no {', '.join(SUFFIXES)} file; name another folder")
            new = {str(path): path for path in found}
        elif source.suffix == ".scp":
            new = _read_scp(source)
        else:
            new = {str(source): source}
        clash = sorted(key for key in files.keys() & new.keys() if files[key] != new[key])
        if clash:
            raise UserError(f"{source}: {clash[0]!r} stands for two files; give them different names")
        files |= new
    return files


def _read_scp(path: Path) -> dict[str, Path]:
    table = read_table(path)
    if not table:
        raise UserError(f"{path}: holds no line; name another file")
    for utt, value in table.items():
        if "|" in value:
            raise UserError(f"{path}: {utt}: a shell pipe is not run; write its output to a file and name that file")
    return {utt: Path(value) for utt, value in table.items()}


def predict_all(inference: MTLInference, files: dict[str, Path], out: Path, batch_size: int) -> int:
    """Write the predictions of all files that can be read; return how many cannot.

    Raises:
        UserError: None can be read, or the output cannot be written.
    """
    broken = 0
    with atomic_path(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = WRITERS[out.suffix](file, inference.model.spec)
        results = inference.predict_files(files, batch_size)
        # disable=None: no bar in a log.
        for _, result in tqdm(results, total=len(files), unit="file", disable=None):
            if isinstance(result, UserError):
                broken += 1
                tqdm.write(f"error: {result}", file=sys.stderr)
            else:
                writer.write(result)
        if broken == len(files):
            raise UserError(f"{out}: not written, as none of {broken} files could be predicted; see the lines above")
    return broken


def main() -> int:
    """Entry point; exit status 1 if a file could not be predicted."""
    parser = argparse.ArgumentParser(prog="mtl_inference", description=__doc__, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("--model", required=True, help="exp/<tag>, a pack, an unpacked pack, or with --hub org/name")
    parser.add_argument(
        "--weights", default="valid.score.ave.pth", help="which weights of an experiment (default: %(default)s)"
    )
    parser.add_argument("--hub", choices=("true", "false"), default="false", help="fetch --model org/name from the hub")
    parser.add_argument("--revision", help="branch, tag or commit on the hub")
    parser.add_argument("--out", type=Path, required=True, help="predictions, .jsonl or .csv")
    parser.add_argument(
        "--batch-size", type=int, default=16, help="files, or windows of a long one, at once (default: 16)"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ...; auto (default): cuda if there is one")
    parser.add_argument("files", nargs="+", type=Path, help="audio files, folders, or wav.scp files")
    args = parser.parse_args()
    if args.out.suffix not in WRITERS:
        raise UserError(f"{args.out}: the name ends in {' or '.join(WRITERS)}")
    if args.batch_size < 1:
        raise UserError(f"--batch-size {args.batch_size}: give a number from 1")
    files = list_files(args.files)
    inference = MTLInference.from_pretrained(
        args.model, args.device, args.weights, hub=args.hub == "true", revision=args.revision
    )
    if inference.model.encoder.streams:
        named = ", ".join(inference.model.encoder.streams)
        print(f"warning: {args.model}: was trained with {named}; predicts from audio alone", file=sys.stderr)
    broken = predict_all(inference, files, args.out, args.batch_size)
    print(f"{args.out}: {len(files) - broken} files" + (f"; {broken} could not be predicted" if broken else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    run_cli(main)
