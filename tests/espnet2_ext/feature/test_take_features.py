"""Sets that take their features from the dump directory of another one."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_dump import make_dump

from espnet2_ext.errors import UserError
from espnet2_ext.feature.dump import take_features
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.fileio.table import read_table, write_table


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """As stage 2 leaves it; one utterance was broken."""
    folder = tmp_path / "dump/all"
    make_dump(folder, 40, 0, "tr")
    (folder / "feature.yaml").write_text("name: log_mel\nn_mels: 8\n")
    (folder / "make_feats.json").write_text(json.dumps({"utterances": 40, "broken": {"tr0-999": "no audio"}}))
    return folder


def make_set(folder: Path, utts: list[str]) -> Path:
    """A data directory with labels of its own."""
    write_table(folder / "utt2spk", {utt: utt[:3] for utt in utts})
    write_table(folder / "utt2dur", dict.fromkeys(utts, "0.5"))
    write_table(folder / "wav.scp", {utt: f"/wavs/{utt}.wav" for utt in utts})
    write_table(folder / "utt2mood", dict.fromkeys(utts[:3], "good"))
    write_table(folder / "video.scp", dict.fromkeys(utts[1:3], "video.ark:7"))
    return folder


def test_features_are_those_of_the_source(tmp_path: Path, source: Path) -> None:
    utts = sorted(read_table(source / "utt2spk"))[::2]
    data = make_set(tmp_path / "data", utts)
    line = take_features(data, source, tmp_path / "dump/fold/train")
    assert "features of 20 of 20 utterances" in line
    made, whole = tmp_path / "dump/fold/train", ArkReader(source / "feats.scp")
    assert sorted(read_table(made / "feats.scp")) == utts
    reader = ArkReader(made / "feats.scp")
    for utt in utts:
        np.testing.assert_array_equal(reader[utt], whole[utt])
        assert read_table(made / "utt2num_frames")[utt] == str(len(whole[utt]))
    # Labels are the set's own; the source's stay there.
    assert sorted(read_table(made / "utt2mood")) == utts[:3]
    assert not (made / "utt2age").exists()
    assert read_table(made / "video.scp") == dict.fromkeys(utts[1:3], "video.ark:7")
    assert (made / "feature.yaml").read_text() == (source / "feature.yaml").read_text()
    assert not list(made.glob("*.ark"))
    assert set(read_table(made / "spk2utt")) == {utt[:3] for utt in utts}


def test_an_older_directory_is_replaced(tmp_path: Path, source: Path) -> None:
    utts = sorted(read_table(source / "utt2spk"))
    take_features(make_set(tmp_path / "one", utts), source, tmp_path / "made")
    take_features(make_set(tmp_path / "two", utts[:5]), source, tmp_path / "made")
    assert sorted(read_table(tmp_path / "made/feats.scp")) == utts[:5]
    assert [path.name for path in tmp_path.iterdir() if "made" in path.name] == ["made"]


def test_broken_utterances_are_left_out_up_to_a_limit(tmp_path: Path, source: Path) -> None:
    utts = sorted(read_table(source / "utt2spk"))
    data = make_set(tmp_path / "data", sorted([*utts[:30], "tr0-999"]))
    assert "features of 30 of 31 utterances" in take_features(data, source, tmp_path / "made")
    assert sorted(read_table(tmp_path / "made/utt2spk")) == utts[:30]
    few = make_set(tmp_path / "few", sorted([*utts[:5], "tr0-999"]))
    with pytest.raises(UserError, match="only 5 of 6 utterances have features"):
        take_features(few, source, tmp_path / "made")
    assert len(read_table(tmp_path / "made/utt2spk")) == 30


def test_an_utterance_that_is_not_there_is_named(tmp_path: Path, source: Path) -> None:
    utts = sorted(read_table(source / "utt2spk"))
    data = make_set(tmp_path / "data", [*utts, "xx0-001"])
    with pytest.raises(UserError, match=r"1 utterances are not in .*all, the first is xx0-001; run stage 1"):
        take_features(data, source, tmp_path / "made")
    assert not (tmp_path / "made").exists()
