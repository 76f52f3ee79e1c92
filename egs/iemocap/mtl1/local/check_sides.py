#!/usr/bin/env python3
"""Check the table of halves: people move more while they speak than while they listen.

In one dialog of each session and of each actor with markers, the motion of both halves (mean absolute difference of
luminance from frame to frame) is divided by its mean over the dialog's beginning. The turns are counted in which the
half that the table gives the speaker moves more, by this measure, than the other half. Chance gives half of them; fewer
speak against the table. It is an indication and no proof: look at the montage.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from itertools import takewhile
from pathlib import Path

import numpy as np

from espnet2_ext.errors import run_cli
from espnet2_ext.fileio.ark import read_scp
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.video.crop_table import Segment, by_video, read_crop_table
from espnet2_ext.video.decode import Picture, decode

# Seconds of each dialog, and frames from one difference to the next (about 0.1 s).
SECONDS, STEP = 90.0, 3
_COARSE = 4
# With fewer turns, or a share not below this, there is nothing to warn of.
_FEWEST, _LEAST = 8, 0.5


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="table of what was cropped")
    parser.add_argument("--scp", type=Path, required=True, help="script file of the crops")
    parser.add_argument("--out", type=Path, required=True, help="report to write")
    arguments = parser.parse_args()
    cropped = read_scp(arguments.scp)
    segments = {utt: s for utt, s in read_crop_table(arguments.table).items() if utt in cropped}
    votes: dict[str, list[bool]] = {}
    # Of a session's dialogs the first of each actor with markers: Ses01F, Ses01M.
    first: dict[str, str] = {}
    videos = by_video(segments)
    for name in videos:
        first.setdefault(name.split("_")[0], name)
    for marked, name in first.items():
        votes.setdefault(marked[:-1], []).extend(speaker_moves_more(videos[name]))
    lines = [f"{session} {sum(found)} of {len(found)}\n" for session, found in sorted(votes.items()) if found]
    with atomic_path(arguments.out) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")
    print("turns in which the half of who speaks moves more:", ", ".join(line.strip() for line in lines))
    for session, found in sorted(votes.items()):
        if len(found) >= _FEWEST and np.mean(found) < _LEAST:
            print(
                f"warning: {session}: in most turns the other half moves more than the speaker's; look at the montage, "
                "and if the halves are exchanged there, mend it by --video_sides",
                file=sys.stderr,
            )


def speaker_moves_more(segments: Mapping[str, Segment]) -> list[bool]:
    """Tell for each turn at the beginning of a dialog whether the speaker's half moves more than the other one."""
    video = next(iter(segments.values())).video
    times, motion = motion_of_halves(takewhile(lambda picture: picture.time < SECONDS, decode(video)))
    relative = motion / np.maximum(motion.mean(axis=0), np.finfo(float).tiny)
    found = []
    for segment in segments.values():
        during = relative[(times > segment.start) & (times <= segment.end)]
        if len(during):
            speaker = 0 if segment.region.left == 0 else 1
            found.append(bool(during[:, speaker].mean() > during[:, 1 - speaker].mean()))
    return found


def motion_of_halves(pictures: Iterable[Picture]) -> tuple[np.ndarray, np.ndarray]:
    """Return times ``(N,)`` in seconds and the motion of the left and the right half ``(N, 2)`` up to each."""
    times: list[float] = []
    motion: list[tuple[float, float]] = []
    before = None
    for number, picture in enumerate(pictures):
        if number % STEP:
            continue
        now = picture.luma[::_COARSE, ::_COARSE].astype(np.int16)
        if before is not None:
            change = np.abs(now - before)
            middle = change.shape[1] // 2
            times.append(picture.time)
            motion.append((float(change[:, :middle].mean()), float(change[:, middle:].mean())))
        before = now
    return np.array(times), np.array(motion).reshape(-1, 2)


if __name__ == "__main__":
    run_cli(main)
