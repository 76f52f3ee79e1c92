"""Crops of all utterances of one video, in one pass over the file."""

from collections.abc import Iterator, Mapping

from espnet2_ext.video.crop_table import Segment
from espnet2_ext.video.decode import decode
from espnet2_ext.video.face_track import FaceCrops, FaceTrack, Finder, TrackOptions
from espnet2_ext.video.sampling import middle_time, nearest


def crop_video(segments: Mapping[str, Segment], find: Finder, options: TrackOptions) -> Iterator[tuple[str, FaceCrops]]:
    """Yield the crops of each utterance when it ends; utterances may overlap.

    Frame i of an utterance is the video's frame nearest to the middle of its audio frame i. Only utterances that have
    begun and not ended are in memory.

    Args:
        segments: The utterances of one file.
        find: Finds the face in a region.
        options: How it is followed.

    Raises:
        UserError: As `decode`.
    """
    path = next(iter(segments.values())).video
    wanted = sorted(
        (middle_time(segment.start, frame), utterance, frame)
        for utterance, segment in segments.items()
        for frame in range(segment.frames)
    )
    tracks: dict[str, FaceTrack] = {}
    pictures = nearest(decode(path), [time for time, _, _ in wanted])
    for (_, utterance, frame), picture in zip(wanted, pictures, strict=True):
        segment = segments[utterance]
        if frame == 0:
            tracks[utterance] = FaceTrack(segment.frames, find, options)
        tracks[utterance].push(frame, None if picture is None else picture.cut(segment.region))
        if frame == segment.frames - 1:
            yield utterance, tracks.pop(utterance).finish()
