"""Archives of crops: exact, made once, whole or not there, and what is missing is told."""

import json
import os
import time
from pathlib import Path

import kaldi_native_io
import numpy as np
import pytest
from video_files import NTSC, flat, write_lossless

from espnet2_ext.bin.make_video_crops import main, share
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.fileio.table import read_table
from espnet2_ext.video import crop_video
from espnet2_ext.video.crop import crop_square
from espnet2_ext.video.crop_archive import combine_archives, is_made, make_archive
from espnet2_ext.video.crop_table import Segment, by_video, read_crop_table, write_crop_table
from espnet2_ext.video.face_track import TrackOptions
from espnet2_ext.video.geometry import Region, Square

PLACE = Square(4, 4, 24)
OPTIONS = TrackOptions()
LEFT, RIGHT = Region(0, 0, 0.5, 1), Region(0.5, 0, 1, 1)


def find(luma: np.ndarray, near: Square | None) -> Square | None:
    """A face wherever the picture is not dark."""
    return PLACE if luma[0, 0] > 40 else None


def clip(number: int) -> np.ndarray:
    """Frame of 128 x 48: the left half brightens, the right one darkens, and is dark from frame 75 on."""
    right = 220 - number if number < 75 else 16
    return np.concatenate([flat(60 + number), flat(right)], axis=1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_lossless(tmp_path / "v.avi", [clip(n) for n in range(120)])
    return Path("arks")


@pytest.fixture
def segments(tmp_path: Path) -> dict[str, Segment]:
    video = tmp_path / "v.avi"
    return {
        "a": Segment(video, 0.25, 1.25, LEFT),
        "b": Segment(video, 1.0, 2.02, RIGHT),
        "dark": Segment(video, 2.6, 3.6, RIGHT),
        "late": Segment(video, 9.0, 10.0, LEFT),
    }


def expected(segment: Segment, frames: int) -> np.ndarray:
    """Crops by hand: the frame nearest to the middle of each 40 ms, cropped with the margin of 30 %."""
    rows = []
    for i in range(frames):
        number = round((segment.start + 0.04 * i + 0.02) * float(NTSC))
        whole = clip(number)
        columns = slice(0, 64) if segment.region == LEFT else slice(64, 128)
        # Planes of the half: luminance, then colour, which is grey everywhere.
        half = np.concatenate([whole[:48, columns], np.full((24, 64), 128, np.uint8)])
        rows.append(crop_square(half, Square(4 - 3.6, 4 - 3.6, 24 * 1.3), 96).ravel())
    return np.stack(rows)


def test_exact_there_and_back(folder: Path, segments: dict[str, Segment]) -> None:
    line = make_archive(folder, "v", segments, OPTIONS, False, find)
    assert line == "v: 2 of 4 utterances, 51 frames, 0 of them repeated"
    print(combine_archives(folder, Path("out"), {"v": segments}, OPTIONS))
    crops = ArkReader("out/video.scp")
    assert list(crops.keys()) == ["a", "b"]
    with kaldi_native_io.RandomAccessFloatMatrixReader("scp:out/video.scp") as kaldi:
        # 1.02 s are 25.5 frames: 26.
        for utt, frames in (("a", 25), ("b", 26)):
            assert crops.shape(utt) == (frames, 96 * 96 * 3)
            np.testing.assert_array_equal(crops.read_uint8(utt), expected(segments[utt], frames))
            np.testing.assert_array_equal(crops[utt], crops.read_uint8(utt))
            np.testing.assert_array_equal(np.rint(kaldi[utt]), crops[utt])
    assert read_table(Path("out/video_counts")) == {"a": "25 0", "b": "26 0"}
    assert read_table(Path("out/video_missing")) == {
        "dark": "no face in 25 frames",
        "late": "the video has no frame at its time",
    }


def test_an_utterance_is_yielded_when_it_ends(
    folder: Path, segments: dict[str, Segment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streaming: not more is decoded than up to the frame after the utterance's last one."""
    decoded = []

    def counted(path: Path) -> object:
        for picture in decode(path):
            decoded.append(picture.time)
            yield picture

    decode = crop_video.decode
    monkeypatch.setattr(crop_video, "decode", counted)
    found = crop_video.crop_video(segments, find, OPTIONS)
    assert next(found)[0] == "a"
    assert 1.23 < decoded[-1] < 1.23 + 1 / 25
    assert next(found)[0] == "b"
    # The middle of its 26th frame.
    assert 2.02 < decoded[-1] < 2.02 + 1 / 25


def test_made_once_and_again_when_something_changes(folder: Path, segments: dict[str, Segment]) -> None:
    assert not is_made(folder, "v", segments, OPTIONS)
    make_archive(folder, "v", segments, OPTIONS, False, find)
    assert is_made(folder, "v", segments, OPTIONS)
    assert not is_made(folder, "v", segments, TrackOptions(interval=4))
    assert not is_made(folder, "v", segments | {"b": segments["b"]._replace(region=LEFT)}, OPTIONS)
    assert not is_made(folder, "v", {"a": segments["a"]}, OPTIONS)
    (ark,) = folder.glob("v.*.ark")
    whole = ark.read_bytes()
    ark.write_bytes(whole[:-1])
    assert not is_made(folder, "v", segments, OPTIONS)
    ark.write_bytes(whole)
    assert is_made(folder, "v", segments, OPTIONS)
    write_lossless(segments["a"].video, [clip(n) for n in range(110)])
    assert not is_made(folder, "v", segments, OPTIONS)


def test_other_regions_leave_the_crops_of_earlier_script_files(folder: Path, segments: dict[str, Segment]) -> None:
    """Two protocols share a folder of archives; what one of them has cropped anew is not what the other one meant."""
    other = segments | {"b": segments["b"]._replace(region=LEFT)}
    for name, wanted in (("out", segments), ("other", other), ("again", segments)):
        make_archive(folder, "v", wanted, OPTIONS, False, find)
        combine_archives(folder, Path(name), {"v": wanted}, OPTIONS)
    for name, wanted in (("out", segments), ("other", other)):
        np.testing.assert_array_equal(ArkReader(f"{name}/video.scp").read_uint8("b"), expected(wanted["b"], 26))
    assert Path("again/video.scp").read_text() == Path("out/video.scp").read_text()
    assert Path("other/video.scp").read_text() != Path("out/video.scp").read_text()


def test_a_job_that_is_killed_leaves_no_half(folder: Path, segments: dict[str, Segment]) -> None:
    calls = []

    def stop(luma: np.ndarray, near: Square | None) -> Square | None:
        calls.append(1)
        if len(calls) > 8:
            raise KeyboardInterrupt
        return find(luma, near)

    with pytest.raises(KeyboardInterrupt):
        make_archive(folder, "v", segments, OPTIONS, False, stop)
    assert list(folder.iterdir()) == []
    with pytest.raises(UserError, match=r"arks/v\.[0-9a-f]{8}\.ark: is not made of v's utterances; run its job again"):
        combine_archives(folder, Path("out"), {"v": segments}, OPTIONS)
    assert not Path("out").exists()


def test_leftovers_of_a_job_ended_by_force_are_removed(folder: Path, segments: dict[str, Segment]) -> None:
    """Of this video, and not what another job may be writing."""
    folder.mkdir()
    old, young, other = (folder / name for name in (".v.12.tmp.ark", ".v.13.tmp.ark", ".w.12.tmp.ark"))
    for path in (old, young, other):
        path.write_bytes(b"half")
    for path in (old, other):
        os.utime(path, (time.time() - 3600,) * 2)
    make_archive(folder, "v", segments, OPTIONS, False, find)
    assert [path.exists() for path in (old, young, other)] == [False, True, True]


@pytest.mark.parametrize(
    ("content", "words"), [(None, "no such file"), (b"RIFF and then nothing", "cannot be decoded")]
)
def test_a_missing_or_broken_video(
    folder: Path, segments: dict[str, Segment], content: bytes | None, words: str
) -> None:
    bad = Path("bad.avi")
    if content is not None:
        bad.write_bytes(content)
    others = {"c": segments["a"]._replace(video=bad)}
    with pytest.raises(UserError, match=rf"bad.avi: {words}"):
        make_archive(folder, "bad", others, OPTIONS, False, find)
    assert list(folder.iterdir()) == []
    make_archive(folder, "bad", others, OPTIONS, True, find)
    make_archive(folder, "v", segments, OPTIONS, True, find)
    combine_archives(folder, Path("out"), {"bad": others, "v": segments}, OPTIONS)
    assert list(read_table(Path("out/video.scp"))) == ["a", "b"]
    assert read_table(Path("out/video_missing"))["c"].startswith(f"bad.avi: {words}")
    with pytest.raises(UserError, match=rf"none of 1 utterances has video, the first is c: bad.avi: {words}"):
        combine_archives(folder, Path("out"), {"bad": others}, OPTIONS)


def test_table_there_and_back(tmp_path: Path, segments: dict[str, Segment]) -> None:
    spaced = segments | {"a": segments["a"]._replace(video=tmp_path / "two words.avi")}
    write_crop_table(tmp_path / "table", spaced)
    assert read_crop_table(tmp_path / "table") == spaced
    assert list(by_video(spaced)) == ["two words", "v"]
    other = segments["a"]._replace(video=tmp_path / "other/v.avi")
    with pytest.raises(UserError, match="has the same name"):
        by_video(segments | {"z": other})


@pytest.mark.parametrize(
    "line",
    [
        "v.avi 0 1 0 0 1",
        "v.avi 1 1 0 0 1 1",
        "v.avi 0 nan 0 0 1 1",
        "v.avi 0 1 0.5 0 0.5 1",
        "v.avi 0 1 0 0 1 2",
        "v.avi a 1 0 0 1 1",
    ],
)
def test_bad_lines(tmp_path: Path, line: str) -> None:
    (tmp_path / "table").write_text(f"u1 {line}\n")
    with pytest.raises(UserError, match="table: u1: "):
        read_crop_table(tmp_path / "table")


def test_jobs_share_the_videos(segments: dict[str, Segment]) -> None:
    """Each is of one job; lengths 9, 7, 4, 3, 1 go to two jobs as 9 + 3 and 7 + 4 + 1: the next to who has least."""
    videos = {
        name: {name: segments["a"]._replace(start=0, end=length)}
        for name, length in {"a": 7, "b": 1, "c": 9, "d": 3, "e": 4}.items()
    }
    assert [share(videos, job, 2) for job in (1, 2)] == [["c", "d"], ["a", "b", "e"]]
    assert sorted(name for job in range(1, 8) for name in share(videos, job, 7)) == list("abcde")


def test_the_program(
    folder: Path, segments: dict[str, Segment], capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real detector: grey pictures have no face."""
    write_crop_table(Path("table"), segments)
    options = ["--table", "table", "--out-dir", "crops"]
    main(options)
    assert "1 of 1 videos, " in capsys.readouterr().out
    (path,) = Path("crops/arks").glob("v.*.json")
    record = json.loads(path.read_text())
    assert record["missing"]["a"] == "no face in 25 frames"
    main(options)
    assert "v: is made" in capsys.readouterr().out
    with pytest.raises(UserError, match="none of 4 utterances has video"):
        main([*options, "--combine"])
    with pytest.raises(UserError, match="--job 3 is not 1 to 2"):
        main([*options, "--job", "3", "--jobs", "2"])
