"""Crop the speakers' faces out of videos: one job of make_video_crops.sh, or --combine what all jobs have made."""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.video.crop_archive import combine_archives, is_made, make_archive
from espnet2_ext.video.crop_table import Segment, by_video, read_crop_table
from espnet2_ext.video.face_track import TrackOptions

Videos = Mapping[str, Mapping[str, Segment]]


def share(videos: Videos, job: int, jobs: int) -> list[str]:
    """Return the videos of one job: the longest is given to the job that has least, and so on.

    Args:
        videos: Utterances by video.
        job: 1 to `jobs`.
        jobs: Number of jobs.
    """
    seconds = {name: sum(s.end - s.start for s in segments.values()) for name, segments in videos.items()}
    loads = [0.0] * jobs
    chosen = []
    for name in sorted(videos, key=lambda name: (-seconds[name], name)):
        least = loads.index(min(loads))
        loads[least] += seconds[name]
        if least == job - 1:
            chosen.append(name)
    return sorted(chosen)


def make(videos: Videos, folder: Path, job: int, jobs: int, skip_broken: bool) -> None:
    """Make the archives of one job that are not there, with a line for each."""
    names = share(videos, job, jobs)
    begin = time.monotonic()
    for number, name in enumerate(names, 1):
        if is_made(folder, name, videos[name], TrackOptions()):
            line = f"{name}: is made"
        else:
            line = make_archive(folder, name, videos[name], TrackOptions(), skip_broken)
        print(f"{number} of {len(names)} videos, {time.monotonic() - begin:.1f} s: {line}", flush=True)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make_video_crops", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--table",
        type=Path,
        required=True,
        help="lines <utterance> <video> <start> <end> <left> <top> <right> <bottom>",
    )
    parser.add_argument("--out-dir", type=Path, required=True, help="archives go into its folder arks")
    parser.add_argument("--job", type=int, default=1, help="number of this job")
    parser.add_argument("--jobs", type=int, default=1, help="number of jobs")
    parser.add_argument("--skip-broken", choices=("true", "false"), default="false", help="leave out broken videos")
    parser.add_argument("--combine", action="store_true", help="write video.scp of all archives instead")
    args = parser.parse_args(argv)
    if not 1 <= args.job <= args.jobs:
        raise UserError(f"--job {args.job} is not 1 to {args.jobs}, the number of --jobs")
    return args


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    args = parse_args(argv)
    videos = by_video(read_crop_table(args.table))
    folder = args.out_dir / "arks"
    if args.combine:
        print(combine_archives(folder, args.out_dir, videos, TrackOptions()))
    else:
        make(videos, folder, args.job, args.jobs, args.skip_broken == "true")


if __name__ == "__main__":
    run_cli(main)
