"""The crops of one video as an archive, which is made once, and all archives as one script file."""

import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark_writer import ArkWriter
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.fileio.table import read_table, write_table
from espnet2_ext.video.crop_table import Segment
from espnet2_ext.video.crop_video import crop_video
from espnet2_ext.video.decode import VideoError
from espnet2_ext.video.face_detector import FaceDetector
from espnet2_ext.video.face_track import FaceCrops, Finder, TrackOptions

# Raised when crops of the same inputs become others.
_VERSION = 1
_BYTES = 6
# Seconds.
_ABANDONED = 600
# What goes to the folder of the script file; the last one names the utterances that have no video, and why.
TABLES = ("video.scp", "video_counts", "video_missing")


def archive_stem(name: str, segments: Mapping[str, Segment]) -> str:
    """Return what a video's files are called: its name, and eight hexadecimal digits that stand for times and regions.

    So a script file that was made for other regions goes on to name the crops that it was made of.
    """
    # Not by the video's path: a corpus may move.
    lines = sorted(f"{utt} {segment._replace(video=Path(name)).line()}" for utt, segment in segments.items())
    return f"{name}.{hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:8]}"


def is_made(folder: Path, name: str, segments: Mapping[str, Segment], options: TrackOptions) -> bool:
    """Tell whether a video's archive is there and of the same utterances, file and options."""
    stem = archive_stem(name, segments)
    record = _read_record(folder / f"{stem}.json")
    ark = folder / f"{stem}.ark"
    return (
        record is not None
        and record["key"] == _key(segments, options)
        and (not record["counts"] or (ark.is_file() and ark.stat().st_size == record["bytes"]))
    )


def make_archive(
    folder: Path,
    name: str,
    segments: Mapping[str, Segment],
    options: TrackOptions,
    skip_broken: bool,
    find: Finder | None = None,
) -> str:
    """Write an archive, its script file and, last, its record (json) of one video, called as `archive_stem` says.

    Args:
        folder: Where they go; it stands in the script file as it is given.
        name: The video's name.
        segments: Its utterances.
        options: How faces are followed.
        skip_broken: Whether a file that is missing or cannot be decoded leaves its utterances without video.
        find: Finds the face in a region; default: a new `FaceDetector`.

    Returns:
        One line about the video.

    Raises:
        UserError: As `crop_video`, unless `skip_broken`; the disk refuses.
    """
    find = find or FaceDetector()
    key, stem = _key(segments, options), archive_stem(name, segments)
    ark = folder / f"{stem}.ark"
    _remove_leftovers(folder, name)
    counts: dict[str, tuple[int, int]] = {}
    missing: dict[str, str] = {}
    try:
        with ArkWriter(ark, folder / f"{stem}.scp", _BYTES) as writer:
            for utterance, crops in crop_video(segments, find, options):
                if crops.pixels is None:
                    missing[utterance] = _why_missing(crops)
                else:
                    writer.write(utterance, crops.pixels)
                    counts[utterance] = len(crops.pixels), crops.repeated
    except VideoError as error:
        if not skip_broken:
            raise
        counts, missing = {}, dict.fromkeys(segments, str(error))
    record = {"key": key, "counts": counts, "missing": missing, "bytes": ark.stat().st_size if counts else 0}
    with atomic_path(folder / f"{stem}.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    frames, repeated = (sum(column) for column in zip(*counts.values(), strict=True)) if counts else (0, 0)
    return f"{name}: {len(counts)} of {len(segments)} utterances, {frames} frames, {repeated} of them repeated"


def combine_archives(
    folder: Path, out: Path, videos: Mapping[str, Mapping[str, Segment]], options: TrackOptions
) -> str:
    """Write video.scp, video_counts (frames, repeated frames) and, where there are any, video_missing (the reason).

    Returns:
        One line about all of them.

    Raises:
        UserError: A video's archive is not made, or no utterance has video.
    """
    tables: dict[str, dict[str, str]] = {name: {} for name in TABLES}
    repeated = frames = 0
    for name, segments in videos.items():
        stem = archive_stem(name, segments)
        record = _read_record(folder / f"{stem}.json")
        if record is None or not is_made(folder, name, segments, options):
            raise UserError(f"{folder}/{stem}.ark: is not made of {name}'s utterances; run its job again")
        tables["video_missing"] |= record["missing"]
        if record["counts"]:
            tables["video.scp"] |= read_table(folder / f"{stem}.scp")
        for utterance, pair in record["counts"].items():
            tables["video_counts"][utterance] = f"{pair[0]} {pair[1]}"
            frames, repeated = frames + pair[0], repeated + pair[1]
    total = sum(map(len, videos.values()))
    if not tables["video.scp"]:
        utterance, reason = next(iter(tables["video_missing"].items()))
        raise UserError(f"{folder}: none of {total} utterances has video, the first is {utterance}: {reason}")
    # The script file is written last.
    for name in reversed(TABLES):
        if tables[name]:
            write_table(out / name, tables[name])
        else:
            (out / name).unlink(missing_ok=True)
    return (
        f"{out}: video of {len(tables['video.scp'])} of {total} utterances, {frames} frames; {repeated} "
        f"({repeated / frames:.1%}) have no face and repeat another"
    )


def _why_missing(crops: FaceCrops) -> str:
    if crops.pictures:
        return f"no face in {crops.pictures} frames"
    return "the video has no frame at its time"


def _remove_leftovers(folder: Path, name: str) -> None:
    """Remove what a job left that was ended by force; a job that runs writes at least every few seconds."""
    for path in folder.glob(f".{name}.*.tmp.*"):
        if time.time() - path.stat().st_mtime > _ABANDONED:
            path.unlink(missing_ok=True)


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read; remove it and run again") from error


def _key(segments: Mapping[str, Segment], options: TrackOptions) -> str:
    """Return what an archive is known by: its utterances, the file's size and time, the options."""
    path = next(iter(segments.values())).video
    state = (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else None
    lines = sorted(f"{utterance} {segment.line()}" for utterance, segment in segments.items())
    content = json.dumps([_VERSION, dataclasses.asdict(options), state, lines])
    return hashlib.sha256(content.encode()).hexdigest()
