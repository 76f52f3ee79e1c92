#!/usr/bin/env python3
"""Write the table of what is to be cropped: each utterance's video, time and half of the frame."""

import argparse
from pathlib import Path

from corpus import Utterance, read_corpus
from video_sides import read_sides, speakers_half

from espnet2_ext.data.wav_info import duration
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.video.crop_table import Segment, write_crop_table


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder with Session1 to Session5")
    parser.add_argument("--dialogs", choices=("improvised", "all"), required=True)
    parser.add_argument("--video", choices=("auto", "true"), required=True, help="auto: no table if there is no video")
    parser.add_argument("--sides", type=Path, required=True, help="half of the actor with markers by session")
    parser.add_argument("--changes", default="", help="halves that differ from the table, e.g. Ses03=right")
    parser.add_argument("--out", type=Path, required=True, help="table to write")
    arguments = parser.parse_args()
    sides = read_sides(arguments.sides, arguments.changes)
    chosen = [u for u in read_corpus(arguments.root).utterances if u.improvised or arguments.dialogs == "all"]
    segments = {
        u.utt: Segment(video_of(u), u.turn.start, u.turn.start + duration(u.wav), speakers_half(u, sides))
        for u in chosen
    }
    videos = {segment.video for segment in segments.values()}
    found = sum(video.is_file() for video in videos)
    if found:
        write_crop_table(arguments.out, segments)
        print(f"{found} of {len(videos)} dialogs have a video, {len(segments)} utterances")
    elif arguments.video == "true":
        raise UserError(f"{min(videos)}: no such file, and no other dialog has a video; copy them, or --video false")
    else:
        arguments.out.unlink(missing_ok=True)
        print(f"none of {len(videos)} dialogs has a video, such as {min(videos)}: audio only")


def video_of(utterance: Utterance) -> Path:
    """Return where the video of an utterance's dialog should be."""
    return utterance.wav.parents[3] / "dialog/avi/DivX" / f"{utterance.dialog}.avi"


if __name__ == "__main__":
    run_cli(main)
