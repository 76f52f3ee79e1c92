"""The table of utterances that are to be cropped: where each is in which video, and in which part of the frame."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.table import read_table, write_table
from espnet2_ext.video.geometry import Region
from espnet2_ext.video.sampling import frame_count


class Segment(NamedTuple):
    """One utterance in a video.

    Attributes:
        video: The file.
        start: Where its audio starts, in seconds since the video's first frame.
        end: Where its audio ends: start + samples / rate.
        region: The part of the frame that shows the speaker.
    """

    video: Path
    start: float
    end: float
    region: Region

    @property
    def frames(self) -> int:
        """Number of video frames at 25 per second: the duration of the audio, rounded up to a frame."""
        return frame_count(self.end - self.start)

    def line(self) -> str:
        """Return the value of its line in the table."""
        edges = " ".join(f"{edge:g}" for edge in self.region)
        return f"{self.video} {self.start:.6f} {self.end:.6f} {edges}"


def read_crop_table(path: Path) -> dict[str, Segment]:
    """Read lines `<utterance> <video> <start> <end> <left> <top> <right> <bottom>`: seconds, fractions of the frame.

    Raises:
        UserError: As `read_table`; a line has other fields, an utterance has no duration, or a region no area.
    """
    segments = {}
    for utterance, value in read_table(path).items():
        fields = value.rsplit(None, 6)
        try:
            start, end, *edges = map(float, fields[1:])
            region = Region(*edges)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{path}: {utterance}: {value!r} is not `<video> <start> <end> <left> <top> <right> <bottom>`; mend it"
            ) from error
        if not 0 <= start < end < float("inf"):
            raise UserError(f"{path}: {utterance}: {start:g} to {end:g} is no time of an utterance; mend it")
        if not (0 <= region.left < region.right <= 1 and 0 <= region.top < region.bottom <= 1):
            raise UserError(f"{path}: {utterance}: {region[:]} is no part of a frame; edges are 0 to 1, ascending")
        segments[utterance] = Segment(Path(fields[0]), start, end, region)
    return segments


def write_crop_table(path: Path, segments: Mapping[str, Segment]) -> None:
    """Write a table that `read_crop_table` reads.

    Raises:
        UserError: The disk refuses.
    """
    write_table(path, {utterance: segment.line() for utterance, segment in segments.items()})


def by_video(segments: Mapping[str, Segment]) -> dict[str, dict[str, Segment]]:
    """Return the utterances of each video, by the stem of its name, both sorted.

    Raises:
        UserError: Two videos in different folders have the same name.
    """
    videos: dict[str, dict[str, Segment]] = {}
    for utterance, segment in sorted(segments.items(), key=lambda item: (item[1].video.stem, item[0])):
        others = videos.setdefault(segment.video.stem, {})
        known = next(iter(others.values()), segment).video
        if known != segment.video:
            raise UserError(f"{segment.video}: {known} has the same name, and archives are named by it; rename one")
        others[utterance] = segment
    return videos
