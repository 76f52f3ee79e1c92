#!/usr/bin/env python3
"""Draw what the crops are of: for each speaker a frame with and without the markers, the half outlined, and crops.

Look at it: in each row the outlined person and all crops must be one and the same, and titles with `markers` must show
somebody who wears them. If not, the half is wrong in video_sides.txt.
"""

import argparse
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import numpy as np

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.video.crop import to_rgb
from espnet2_ext.video.crop_table import Segment, read_crop_table
from espnet2_ext.video.decode import decode
from espnet2_ext.video.geometry import Region
from espnet2_ext.video.montage import Frame, write_montage
from espnet2_ext.video.sampling import nearest

CROPS = 16
_SIDE = 96
_WHOLE = Region(0, 0, 1, 1)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="table of what was cropped")
    parser.add_argument("--scp", type=Path, required=True, help="script file of the crops")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    arguments = parser.parse_args()
    crops = ArkReader(arguments.scp)
    segments = {utt: s for utt, s in read_crop_table(arguments.table).items() if utt in crops}
    rows = []
    # An id is <speaker>-<turn>, and a table is sorted by it.
    for speaker, utts in groupby(sorted(segments), key=lambda utt: utt.split("-")[0]):
        own = list(utts)
        chosen = [own[i] for i in np.unique(np.linspace(0, len(own) - 1, CROPS).astype(int))]
        rows.append(
            (frames(speaker, {utt: segments[utt] for utt in own}), np.stack([middle(crops, u) for u in chosen]))
        )
    write_montage(arguments.out, rows)
    print(f"{arguments.out}: look whether each row is one person")


def middle(crops: ArkReader, utt: str) -> np.ndarray:
    """Return the crop in the middle of an utterance, ``(96, 96, 3)``."""
    pixels = crops.read_uint8(utt)
    return pixels[len(pixels) // 2].reshape(_SIDE, _SIDE, 3)


def frames(speaker: str, segments: Mapping[str, Segment]) -> list[Frame]:
    """Return two frames of a speaker, with markers and without, where there are any; early ones, to decode little."""
    found = []
    for marked, title in ((True, "markers"), (False, "no markers")):
        of_kind = {utt: s for utt, s in segments.items() if (utt.split("-")[1][5] == speaker[-1]) == marked}
        if of_kind:
            utt = min(of_kind, key=lambda utt: (of_kind[utt].start, utt))
            found.append(_frame(f"{utt.split('-')[1]}, {title}", of_kind[utt]))
        else:
            found.append(Frame(f"{speaker}, {title}: none", np.zeros((4, 4, 3), np.uint8), _WHOLE))
    return found


def _frame(title: str, segment: Segment) -> Frame:
    picture = next(nearest(decode(segment.video), [(segment.start + segment.end) / 2]))
    if picture is None:
        raise UserError(f"{segment.video}: has no frame at {segment.start:g} s; run the data stage again")
    return Frame(title, to_rgb(picture.cut(_WHOLE)), segment.region)


if __name__ == "__main__":
    run_cli(main)
