#!/usr/bin/env python3
"""Synthesise the corpus: <out>/wav/<speaker>/<utterance>.wav, <out>/info.csv and <out>/corpus.json.

The folder appears under its name only when it is complete. A folder that was made with the same options and the same
program, and whose wavs are all there, is left as it is.
"""

import argparse
import csv
import hashlib
import json
import math
import os
import shutil
import wave
from pathlib import Path
from typing import TextIO

import numpy as np
from vocal_burst.channel import RATE
from vocal_burst.corpus import Clip, render_corpus
from vocal_burst.emotion import EMOTIONS

from espnet2_ext.errors import UserError, run_cli

COLUMNS = ("File_ID", "Split", "Subject_ID", "Country", "Age", "Type", *EMOTIONS, "Samples")
WAV_HEADER = 44


def main() -> None:
    """Parse options, synthesise unless it is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the corpus")
    parser.add_argument("--num_speakers", type=int, default=48, help="at least 12; a fifth each for dev and test")
    parser.add_argument("--clips_per_speaker", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.num_speakers < 12 or not 1 <= arguments.clips_per_speaker <= 999 or arguments.seed < 0:
        raise UserError("at least 12 speakers, 1 to 999 clips per speaker and a seed of 0 or more are needed")
    wanted = {
        "num_speakers": arguments.num_speakers,
        "clips_per_speaker": arguments.clips_per_speaker,
        "seed": arguments.seed,
        "program": _program_digest(),
    }
    if is_complete(arguments.out, wanted):
        print(f"{arguments.out}: complete, nothing to do")
        return
    try:
        make_corpus(arguments.out, wanted)
    except OSError as error:
        raise UserError(f"{arguments.out}: cannot be written ({error}); free space or choose --downloads") from error


def is_complete(out: Path, wanted: dict[str, int | str]) -> bool:
    """Whether `out` holds a corpus made with the options `wanted`, all wavs in their full length."""
    try:
        if json.loads((out / "corpus.json").read_text(encoding="utf-8")) != wanted:
            return False
        with open(out / "info.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return bool(rows) and all(
            wav_path(out, row["Subject_ID"], row["File_ID"]).stat().st_size == WAV_HEADER + 2 * int(row["Samples"])
            for row in rows
        )
    except (OSError, ValueError, KeyError):
        return False


def make_corpus(out: Path, wanted: dict[str, int | str]) -> None:
    """Synthesise into a temporary folder beside `out`, then put it in place."""
    temporary, old = out.with_name(out.name + ".tmp"), out.with_name(out.name + ".old")
    for leftover in (temporary, old):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary.mkdir(parents=True)
    total, seconds = int(wanted["num_speakers"]) * int(wanted["clips_per_speaker"]), 0.0
    with open(temporary / "info.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        clips = render_corpus(int(wanted["num_speakers"]), int(wanted["clips_per_speaker"]), int(wanted["seed"]))
        for count, clip in enumerate(clips, start=1):
            path = wav_path(temporary, clip.speaker.name, clip.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(path, clip.samples)
            table.writerow(_row(clip))
            seconds += len(clip.samples) / RATE
            if count % 100 == 0 or count == total:
                print(f"synthesised {count} of {total} clips, {seconds:.0f} s of audio", flush=True)
        _flush(file)
    with open(temporary / "corpus.json", "w", encoding="utf-8") as file:
        file.write(json.dumps(wanted, indent=1) + "\n")
        _flush(file)
    if out.exists():
        out.rename(old)
    temporary.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def wav_path(root: Path, speaker: str, utterance: str) -> Path:
    """Where a clip lies in the corpus."""
    return root / "wav" / speaker / f"{utterance}.wav"


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Write (N,) int16 samples as a mono wav at RATE."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def _flush(file: TextIO) -> None:
    """Bring a file to the disk before its folder gets its name; wavs are checked by size instead."""
    file.flush()
    os.fsync(file.fileno())


def _row(clip: Clip) -> list[str]:
    """One line of info.csv; a missing label is an empty cell."""
    speaker = clip.speaker
    emotions = ["" if math.isnan(value) else f"{value:.4f}" for value in clip.intensities]
    head = [clip.name, speaker.split, speaker.name, speaker.country, f"{speaker.age:.1f}", clip.kind]
    return [*head, *emotions, str(len(clip.samples))]


def _program_digest() -> str:
    """SHA-256 over the sources that decide what the corpus holds."""
    digest = hashlib.sha256()
    local = Path(__file__).resolve().parent
    for path in [Path(__file__), *sorted((local / "vocal_burst").glob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    run_cli(main)
