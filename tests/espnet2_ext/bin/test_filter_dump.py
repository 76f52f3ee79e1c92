"""Stage 3 keeps whole rows of all tables."""

import json
from pathlib import Path

import pytest
from tiny_dump import make_dump

from espnet2_ext.bin.filter_dump import filter_dump
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.table import read_table, write_table

TABLES = ("feats.scp", "utt2spk", "utt2dur", "utt2num_frames", "utt2emotion", "utt2age", "utt2country")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    make_dump(tmp_path / "org", 20, 0, "tr")
    (tmp_path / "org/feature.yaml").write_text("name: x\n")
    return tmp_path / "org"


def test_rows_are_kept_by_length(source: Path, tmp_path: Path) -> None:
    line = filter_dump(source, tmp_path / "out", 15, 30)
    frames = {utt: int(n) for utt, n in read_table(source / "utt2num_frames").items()}
    kept = {utt for utt, n in frames.items() if 15 <= n <= 30}
    assert 0 < len(kept) < 20
    for name in TABLES:
        rows = read_table(source / name)
        assert read_table(tmp_path / "out" / name, sorted_keys=True) == {u: v for u, v in rows.items() if u in kept}
    assert (tmp_path / "out/feature.yaml").read_text() == "name: x\n"
    seconds = sum(float(value) for utt, value in read_table(source / "utt2dur").items() if utt in kept)
    lengths = sorted(frames[utt] for utt in kept)
    assert f"{len(kept)} of 20 utterances" in line
    assert f"{seconds / 60:.1f} minutes" in line
    assert f"frames {lengths[0]} to {lengths[-1]}" in line


def test_no_limit(source: Path, tmp_path: Path) -> None:
    filter_dump(source, tmp_path / "out", 1, 0)
    for name in TABLES:
        assert read_table(tmp_path / "out" / name) == read_table(source / name)


def test_a_label_file_that_is_gone_goes(source: Path, tmp_path: Path) -> None:
    filter_dump(source, tmp_path / "out", 1, 0)
    (source / "utt2age").unlink()
    filter_dump(source, tmp_path / "out", 1, 0)
    assert not (tmp_path / "out/utt2age").exists()


def test_a_label_file_of_which_nothing_is_left_is_left_out(source: Path, tmp_path: Path) -> None:
    """An empty table would be an error for its readers; missing labels are none."""
    filter_dump(source, tmp_path / "out", 1, 0)
    shortest = min(json.loads(v) for v in read_table(source / "utt2num_frames").values())
    utt = next(u for u, n in read_table(source / "utt2num_frames").items() if int(n) == shortest)
    write_table(source / "utt2age", {utt: "30"})
    filter_dump(source, tmp_path / "out", shortest + 1, 0)
    assert not (tmp_path / "out/utt2age").exists()
    assert (tmp_path / "out/utt2country").exists()


def test_nothing_left(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no utterance has 500 to any frames"):
        filter_dump(source, tmp_path / "out", 500, 0)
    assert not (tmp_path / "out").exists()


def test_torn_sources(source: Path, tmp_path: Path) -> None:
    (source / "feature.yaml").unlink()
    with pytest.raises(UserError, match=r"feature\.yaml"):
        filter_dump(source, tmp_path / "out", 1, 0)
    assert not (tmp_path / "out/feats.scp").exists()
    write_table(source / "utt2num_frames", dict.fromkeys(read_table(source / "utt2num_frames"), "many"))
    with pytest.raises(UserError, match="'many' is not a number of frames"):
        filter_dump(source, tmp_path / "out", 1, 0)


def test_features_of_other_utterances(source: Path, tmp_path: Path) -> None:
    rows = read_table(source / "feats.scp")
    write_table(source / "feats.scp", {f"x{utt}": value for utt, value in rows.items()})
    with pytest.raises(UserError, match=r"feats\.scp: none of the utterances"):
        filter_dump(source, tmp_path / "out", 1, 0)


def test_streams_go_along(source: Path, tmp_path: Path) -> None:
    """An utterance may lack a stream; a stream that is gone goes."""
    frames = {utt: int(n) for utt, n in read_table(source / "utt2num_frames").items()}
    seen = {utt: f"video.ark:{number}" for number, utt in enumerate(sorted(frames)) if number % 3}
    write_table(source / "video.scp", seen)
    filter_dump(source, tmp_path / "out", 15, 30)
    wanted = {utt: value for utt, value in seen.items() if 15 <= frames[utt] <= 30}
    assert 0 < len(wanted) < len(seen)
    assert read_table(tmp_path / "out/video.scp") == wanted
    (source / "video.scp").unlink()
    filter_dump(source, tmp_path / "out", 15, 30)
    assert not (tmp_path / "out/video.scp").exists()
