"""Speed and memory of a job that crops faces, and reading them: a minute of video, both halves, turns of three seconds.

    PYTHONPATH=.:tests/support python tests/bench/bench_video.py

Prints processor seconds, how many times faster than real time that is on one core, and the job's peak memory, both with
Python's start and imports; and how many frames are read in a second, from the page cache. The noise makes the stream as
large as that of a camera.
"""

import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from iemocap_miniature import portraits, write_video

from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.video.crop_table import Segment, write_crop_table
from espnet2_ext.video.geometry import Region

SECONDS, TURN = 60, 3
ROUNDS = 5
HALVES = (Region(0, 0, 0.5, 1), Region(0.5, 0, 1, 1))


def pictures() -> Iterator[np.ndarray]:
    """Yield 720 x 480 frames of two people, the size of a face that of a person from head to hips, in noise."""
    faces = [portrait[::2, ::2] for portrait in portraits().values()]
    rng = np.random.default_rng(0)
    grains = rng.integers(-12, 13, (520, 760, 1))
    for number in range(round(SECONDS * 30000 / 1001)):
        picture = np.full((480, 720, 3), 96, np.uint8)
        for left, face in zip((0, 360), faces, strict=True):
            x = left + 110 + round(30 * math.sin(number / 40 + left))
            y = 130 + round(15 * math.cos(number / 31))
            picture[y : y + 150, x : x + 128] = face
        y, x = rng.integers(0, 40, 2)
        yield np.clip(picture + grains[y : y + 480, x : x + 720], 0, 255).astype(np.uint8)


def main() -> None:
    """Make the clip, run a job, and print its figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.avi"
        write_video(clip, pictures())
        starts = range(0, SECONDS, TURN)
        table = {f"u{start:02d}": Segment(clip, start, start + TURN, HALVES[start // TURN % 2]) for start in starts}
        write_crop_table(folder / "table", table)
        command = [sys.executable, "-m", "espnet2_ext.bin.make_video_crops", "--table", folder / "table"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, "--out-dir", folder / "out"], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        reader = ArkReader(folder / "out/arks/clip.scp")
        begin = time.process_time()
        frames = sum(len(reader.read_uint8(utt)) for _ in range(ROUNDS) for utt in table)
        print(f"reading: {frames / (time.process_time() - begin):.0f} frames a second of processor time")
        print(f"clip: {SECONDS} s, {clip.stat().st_size / SECONDS * 8e-6:.1f} Mbit/s")
        print(
            f"processor: {used:.1f} s, {SECONDS / used:.1f} times real time; "
            f"peak memory {after.ru_maxrss / 1024:.0f} MiB"
        )


if __name__ == "__main__":
    main()
