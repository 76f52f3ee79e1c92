"""Predict audio files with a trained model: wav, flac, ogg, mp3 of any rate; files, folders, or a wav.scp."""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.fileio.table import read_table
from espnet2_ext.inference.mtl_inference import MTLInference
from espnet2_ext.mtl.task_spec import TaskSpec

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


def list_files(sources: Sequence[Path]) -> dict[str, Path]:
    """Return audio files by utterance id: the path without suffix, or the key in a wav.scp.

    Raises:
        UserError: A source is missing, a folder holds no audio, a wav.scp a pipe, or two files have one id.
    """
    files: dict[str, Path] = {}
    for source in sources:
        if source.is_dir():
            found = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not found:
                raise UserError(f"{source}: holds no {', '.join(SUFFIXES)}")
            new = {str(path.with_suffix("")): path for path in found}
        elif source.suffix == ".scp":
            table = read_table(source)
            pipes = [utt for utt, path in table.items() if "|" in path]
            if pipes:
                raise UserError(f"{source}: {pipes[0]}: holds a pipe; write its output to a file and name that")
            new = {utt: Path(path) for utt, path in table.items()}
        else:
            new = {str(source.with_suffix("")): source}
        twice = sorted(files.keys() & new.keys())
        if twice:
            raise UserError(f"{source}: {twice[0]!r} comes twice; give files with different names")
        files |= new
    return files


def write_jsonl(records: Iterable[dict[str, Any]], path: Path) -> None:
    """One JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(records: Iterable[dict[str, Any]], spec: TaskSpec, path: Path) -> None:
    """One row an utterance; columns `<task>` for classes and `<task>.<output>` for values and probabilities."""
    header = ["utt"]
    for task in spec:
        header += [task.name] if task.is_classification else []
        header += [f"{task.name}.{label}" for label in task.labels]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for record in records:
            row = [record["utt"]]
            for task in spec:
                value = record[task.name]
                row += [value["class"]] if task.is_classification else []
                row += [(value["probabilities"] if task.is_classification else value)[label] for label in task.labels]
            writer.writerow(row)


def main() -> int:
    """Entry point; exit status 1 if a file could not be read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="exp/<tag> or a pack (.zip)")
    parser.add_argument("--weights", default="valid.score.ave.pth", help="which weights of an experiment")
    parser.add_argument("--out", type=Path, required=True, help="predictions, .jsonl or .csv")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("files", nargs="+", type=Path, help="audio files, folders, or wav.scp files")
    args = parser.parse_args()
    if args.out.suffix not in (".jsonl", ".csv"):
        raise UserError(f"{args.out}: the name ends in .jsonl or .csv")
    files = list_files(args.files)
    inference = MTLInference.from_pretrained(args.model, args.device, args.weights)
    records, broken = [], 0
    for _, result in tqdm(inference.predict_files(files, args.batch_size), total=len(files), unit="file"):
        if isinstance(result, UserError):
            broken += 1
            tqdm.write(f"error: {result}", file=sys.stderr)
        else:
            records.append(result)
    with atomic_path(args.out) as temporary:
        if args.out.suffix == ".csv":
            write_csv(records, inference.model.spec, temporary)
        else:
            write_jsonl(records, temporary)
    print(f"{args.out}: {len(records)} files" + (f"; {broken} could not be read" if broken else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    run_cli(main)
