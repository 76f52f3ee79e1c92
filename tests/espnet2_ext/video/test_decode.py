"""Decoding: values, times by hand, and what is wrong with a file."""

import itertools
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import NTSC, flat, write_lossless

from espnet2_ext.video.decode import VideoError, decode
from espnet2_ext.video.geometry import Region


def test_values_and_times(tmp_path: Path) -> None:
    path = write_lossless(tmp_path / "a.avi", [flat(20 + n) for n in range(40)])
    found = [(picture.time, int(picture.luma.min()), int(picture.luma.max())) for picture in decode(path)]
    assert [luma for _, luma, _ in found] == [luma for _, _, luma in found] == list(range(20, 60))
    assert [time for time, _, _ in found] == pytest.approx([n * 1001 / 30000 for n in range(40)], abs=1e-9)


def test_a_region_is_cut_out_exactly(tmp_path: Path) -> None:
    """Sizes that no codec's line length is a multiple of; an edge between two pixels of colour goes to an even one."""
    rng = np.random.default_rng(0)
    picture = rng.integers(16, 235, (54 * 3 // 2, 70), dtype=np.uint8)
    path = write_lossless(tmp_path / "a.avi", [picture])
    found = next(decode(path)).cut(Region(0.5, 0.25, 1, 1))
    # 54 * 0.25 = 13.5 is nearest to the even 14; 70 * 0.5 = 35 lies between 34 and 36: Python rounds 17.5 to 18.
    luma, colour = picture[:54], picture[54:].reshape(2, 27, 35)
    assert found.shape == (40 * 3 // 2, 34)
    np.testing.assert_array_equal(found[:40], luma[14:54, 36:70])
    np.testing.assert_array_equal(found[40:].reshape(2, 20, 17), colour[:, 7:27, 18:35])


def test_frames_in_another_order_than_they_are_coded(tmp_path: Path) -> None:
    """Bidirectional frames: the first one shown is at time 0, whatever the codec's delay, and order is that of time."""
    path = tmp_path / "b.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=NTSC)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.max_b_frames = 2
        for number in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(flat(20 + 10 * number), format="yuv420p")))
        container.mux(stream.encode())
    found = list(decode(path))
    assert [picture.time for picture in found] == pytest.approx([n * 1001 / 30000 for n in range(20)], abs=1e-9)
    assert [float(picture.luma.mean()) for picture in found] == pytest.approx([20 + 10 * n for n in range(20)], abs=9)


def test_one_frame_after_the_other(tmp_path: Path) -> None:
    """What has not been asked for is not decoded: a file whose end is broken is read as far as it is wanted."""
    path = write_lossless(tmp_path / "a.avi", [flat(20 + n) for n in range(100)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert [int(p.luma[0, 0]) for p in itertools.islice(decode(path), 10)] == list(range(20, 30))


@pytest.fixture(scope="module")
def four_seconds(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """120 frames, 4.004 s, in MPEG-4 as DivX is, whose decoder says nothing of a frame that is not whole."""
    path = tmp_path_factory.mktemp("video") / "a.avi"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=NTSC)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(120):
            picture = rng.integers(16, 235, (72, 64), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode())
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6])
def test_a_file_that_was_cut_off(tmp_path: Path, four_seconds: bytes, share: float) -> None:
    path = tmp_path / "a.avi"
    path.write_bytes(four_seconds[: round(share * len(four_seconds))])
    times = []
    with pytest.raises(VideoError, match=r"a\.avi: torn, \d\.\d of 4\.0 s are there; copy it again"):
        times.extend(picture.time for picture in decode(path))
    assert times == pytest.approx([n * 1001 / 30000 for n in range(len(times))], abs=1e-9)
    assert len(times) == pytest.approx(120 * share, abs=12)


def test_a_few_frames_less_than_the_header_tells(tmp_path: Path, four_seconds: bytes) -> None:
    """As many as a recorder may drop at the end: below a second it is no error."""
    path = tmp_path / "a.avi"
    path.write_bytes(four_seconds[: round(0.85 * len(four_seconds))])
    assert 92 < len(list(decode(path))) < 115


def test_what_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "noise.avi").write_bytes(np.random.default_rng(1).bytes(4000))
    (tmp_path / "empty.avi").write_bytes(b"")
    with av.open(str(tmp_path / "sound.avi"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
    for name, words in (
        ("none.avi", "no such file"),
        ("noise.avi", "cannot be decoded"),
        ("empty.avi", "cannot be decoded"),
        ("sound.avi", "holds no video"),
    ):
        with pytest.raises(
            VideoError, match=rf"{name}: {words}.*; copy .* again, or leave its utterances out"
        ) as error:
            list(decode(tmp_path / name))
        assert "\n" not in str(error.value)
