"""Streams beside the features: cut at the same places, padded alike, missing where they are missing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from av_dump import HOP, SIZE, TASKS, make_av_dump

from espnet2_ext.data.crop import Crop
from espnet2_ext.data.dataset import Item, MTLDataset
from espnet2_ext.data.streams import StreamOptions, parse_streams
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark import ArkReader, ArkWriter
from espnet2_ext.mtl.task_spec import task_spec_from_dict

SPEC = task_spec_from_dict(TASKS)
VIDEO = {"video": StreamOptions(HOP)}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    make_av_dump(tmp_path / "dump", 9, 0, "tr")
    return tmp_path / "dump"


@pytest.mark.parametrize(
    ("total", "frames", "position", "padding", "rows"),
    [
        # 100 samples, 10 a picture: a crop of 30 starts at 0, 10, ..., 70; 0.5 of eight starts is the fifth.
        (100, 30, 0.0, "zero", [0, 1, 2]),
        (100, 30, 0.5, "zero", [4, 5, 6]),
        (100, 30, 0.999, "zero", [7, 8, 9]),
        (104, 30, 0.999, "repeat", [7, 8, 9]),  # no start at 74
        (110, 30, 0.999, "zero", [8, 9, 10]),
        (30, 30, 0.7, "zero", [0, 1, 2]),
        (24, 45, 0.3, "zero", [0, 1, 2]),  # the rest is silence
        # Repeated every 24 samples: samples 0, 10, 20, 30 = 6 + 24 and 40 = 16 + 24 lie in these pictures.
        (24, 45, 0.3, "repeat", [0, 1, 2, 0, 1]),
        (5, 25, 0.9, "repeat", [0, 0, 0]),
    ],
)
def test_rows_by_hand(total: int, frames: int, position: float, padding: str, rows: list[int]) -> None:
    crop = Crop(frames=frames, padding=padding, align=10)
    assert crop.stream_rows(total, frames, position, 10).tolist() == rows
    # The samples that `cut` takes lie in the same pictures: the first of each ten tells.
    samples, valid = crop.cut(np.arange(total)[:, None], frames, position)
    assert [int(s) // 10 for s in samples[:valid:10, 0]] == rows


def test_crops_start_at_pictures_and_streams_with_them(dump: Path) -> None:
    """Samples are the picture's number / 100, as `make_av_dump` writes them."""
    dataset = MTLDataset(dump, SPEC, Crop(frames=3 * HOP, padding="zero", align=HOP), train=True, streams=VIDEO)
    utts, batch = dataset.__getitems__([Item(number, number / 9) for number in range(9)])
    assert batch["video"].dtype == torch.uint8
    assert batch["video"].shape == (9, 3, 3 * SIZE**2)
    reader = ArkReader(dump / "video.scp")
    starts = set()
    for row, utt in enumerate(utts):
        length = int(batch["video_lengths"][row])
        if utt not in reader:
            assert (length, batch["video"][row].any()) == (0, False)
            continue
        assert length == -(-int(batch["feats_lengths"][row]) // HOP)
        seen = batch["video"][row, :length]
        assert (seen == seen[:, :1]).all()
        heard = batch["feats"][row, : length * HOP : HOP, 0]
        np.testing.assert_array_equal(np.round(heard.numpy() * 100), seen[:, 0].numpy())
        assert not batch["video"][row, length:].any()
        starts.add(int(seen[0, 0]))
    assert len(starts) > 1


def test_a_picture_too_few_is_the_last_one_again(tmp_path: Path) -> None:
    make_av_dump(tmp_path / "dump", 2, 0, "tr", without_video=9)
    utts = list(ArkReader(tmp_path / "dump/feats.scp").keys())
    frames = -(-ArkReader(tmp_path / "dump/feats.scp").shape(utts[0])[0] // HOP)
    for lacking, good in ((1, True), (2, False)):
        with ArkWriter(tmp_path / "dump/video.ark", tmp_path / "dump/video.scp", compression=6) as writer:
            writer.write(utts[0], np.full((frames - lacking, 12), 7, dtype=np.uint8))
        dataset = MTLDataset(tmp_path / "dump", SPEC, Crop(frames=9 * HOP, padding="zero"), False, streams=VIDEO)
        if good:
            _, batch = dataset.__getitems__([Item(0)])
            assert batch["video_lengths"].tolist() == [frames]
            assert (batch["video"][0, :frames] == 7).all()
        else:
            with pytest.raises(
                UserError, match=rf"video\.scp: {utts[0]}: {frames - 2} rows of 12, where {frames} of 12"
            ):
                dataset.__getitems__([Item(0)])


def test_a_set_without_the_stream(dump: Path) -> None:
    (dump / "video.scp").unlink()
    crop = Crop(frames=3 * HOP, align=HOP)
    with pytest.raises(UserError, match=r"video\.scp: no such file; make data/<set>/video\.scp"):
        MTLDataset(dump, SPEC, crop, False, streams=VIDEO)
    dataset = MTLDataset(dump, SPEC, crop, False, streams=VIDEO, streams_required=False)
    _, batch = dataset.__getitems__([Item(0), Item(1)])
    assert batch["video_lengths"].tolist() == [0, 0]
    assert [stream.missing(dataset.utts) for stream in dataset.streams] == [9]


def test_missing_utterances_are_counted(dump: Path) -> None:
    dataset = MTLDataset(dump, SPEC, Crop(), True, streams=VIDEO)
    assert [stream.missing(dataset.utts) for stream in dataset.streams] == [3]  # 0, 4 and 8


def test_floats_are_refused(dump: Path) -> None:
    utt = next(iter(ArkReader(dump / "feats.scp").keys()))
    rows = -(-ArkReader(dump / "feats.scp").shape(utt)[0] // HOP)
    with ArkWriter(dump / "video.ark", dump / "video.scp") as writer:
        writer.write(utt, np.ones((rows, 12)))
    with pytest.raises(UserError, match="does not hold bytes"):
        MTLDataset(dump, SPEC, Crop(), True, streams=VIDEO).__getitems__([Item(0)])


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"video": {"hop": 640}}, "set align: 640"),
        ({"video": {"hop": 0}}, "give `hop` alone"),
        ({"video": {"hop": True}}, "give `hop` alone"),
        ({"video": {}}, "give `hop` alone"),
        ({"video": 640}, "give `hop` alone"),
        ({"video": {"hop": 8, "shop": 1}}, "give `hop` alone"),
        ({"gender": {"hop": 8}}, "no name for a stream"),
        ({"feats": {"hop": 8}}, "no name for a stream"),
        ({"video_lengths": {"hop": 8}}, "no name for a stream"),
        ({"../x": {"hop": 8}}, "no name for a stream"),
    ],
)
def test_impossible_streams(conf: Mapping[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_streams(conf, SPEC.names, Crop(align=16))
    assert parse_streams({"video": {"hop": 8}}, SPEC.names, Crop(align=16)) == VIDEO
