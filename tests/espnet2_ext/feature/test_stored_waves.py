"""`store: wav`: feats.scp names the audio files, and training reads from them what arks would hold."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_dump import TASKS
from wave_dump import make_wave_dump

from espnet2_ext.bin.collect_stats import collect_stats
from espnet2_ext.bin.make_feats import main as make_feats
from espnet2_ext.data.crop import Crop
from espnet2_ext.data.data_dir import group_by_speaker
from espnet2_ext.data.dataset import Item, MTLDataset
from espnet2_ext.data.validate_data_dir import validate
from espnet2_ext.errors import UserError
from espnet2_ext.feature.stored import open_feats
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.fileio.table import read_table, write_table
from espnet2_ext.fileio.wave_reader import WaveReader
from espnet2_ext.mtl.task_spec import task_spec_from_dict

SPEC = task_spec_from_dict(TASKS)


@pytest.fixture
def dumps(tmp_path: Path) -> tuple[Path, Path]:
    """The same utterances, of 16 and 22.05 kHz, as arks and as files."""
    arks, files = tmp_path / "arks", tmp_path / "files"
    for folder in (arks, files):
        make_wave_dump(folder, 5, 0, "u", {"name": "raw"})
    (files / "feature.yaml").write_text("name: raw\nstore: wav\n")
    (files / "feats.ark").unlink()
    words = ["--wav-scp", files / "wav.scp", "--feature", files / "feature.yaml", "--out-ark", files / "feats.ark"]
    make_feats([*map(str, words), "--out-scp", str(files / "feats.scp")])
    return arks, files


def test_files_are_named_and_none_is_written(dumps: tuple[Path, Path]) -> None:
    arks, files = dumps
    assert read_table(files / "feats.scp") == read_table(files / "wav.scp")
    assert not (files / "feats.ark").exists()
    assert {utt: int(n) for utt, n in read_table(files / "utt2num_frames").items()} == {
        utt: len(ArkReader(arks / "feats.scp")[utt]) for utt in read_table(arks / "feats.scp")
    }


def test_batches_and_statistics_are_those_of_arks(dumps: tuple[Path, Path]) -> None:
    crop = Crop(frames=3000, evaluation="whole", padding="zero")
    one, two = (MTLDataset(folder, SPEC, crop, train=True) for folder in dumps)
    assert isinstance(one.reader, ArkReader)
    assert isinstance(two.reader, WaveReader)
    assert two.feature_size == 1
    items = [Item(number, 0.3, number) for number in range(len(one))]
    (utts, first), (others, second) = one.__getitems__(items), two.__getitems__(items)
    assert utts == others
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name].numpy(), second[name].numpy())
    stats = [collect_stats(folder / "feats.scp") for folder in dumps]
    assert all(np.array_equal(stats[0][name], stats[1][name]) for name in stats[0])


def test_samples_are_the_files(dumps: tuple[Path, Path]) -> None:
    reader = open_feats(dumps[1] / "feats.scp")
    for utt, path in read_table(dumps[1] / "wav.scp").items():
        wave, rate = soundfile.read(path, dtype="float32")
        if rate == 16000:
            np.testing.assert_array_equal(reader[utt], wave[:, None])
            assert reader.shape(utt) == (len(wave), 1)
    assert len(reader) == 5
    assert "nobody" not in reader


def test_the_validator_knows_both(dumps: tuple[Path, Path], tmp_path: Path) -> None:
    for folder in dumps:
        speakers = group_by_speaker(read_table(folder / "utt2spk"))
        write_table(folder / "spk2utt", {name: " ".join(utts) for name, utts in speakers.items()})
        validate(folder, spk_sort=False)
    scp = dumps[1] / "feats.scp"
    scp.write_text(scp.read_text().replace(".wav", ".gone", 1))
    with pytest.raises(UserError, match=r"feats\.scp: .*\.gone: no such file"):
        validate(dumps[1], spk_sort=False)
    (tmp_path / "arks/feats.scp").write_text((dumps[1] / "wav.scp").read_text())
    with pytest.raises(UserError, match="is not <ark>:<offset>"):
        validate(tmp_path / "arks", spk_sort=False)


def test_what_is_wrong_is_one_line(dumps: tuple[Path, Path]) -> None:
    scp = dumps[1] / "feats.scp"
    reader = open_feats(scp)
    utt = next(iter(reader.keys()))
    path = read_table(scp)[utt]
    length = len(reader[utt])
    soundfile.write(path, np.zeros(length + 5, np.float32), 16000)
    with pytest.raises(UserError, match=f"{utt}.*changed while it was in use"):
        reader[utt]
    Path(path).write_bytes(b"no audio")
    with pytest.raises(UserError, match=f"{utt}.*no readable audio"):
        open_feats(scp)[utt]
    with pytest.raises(UserError, match="no utterance nobody"):
        reader["nobody"]
    scp.write_text(f"{utt} sox a.wav -t wav - |\n")
    with pytest.raises(UserError, match="a shell pipe is not run"):
        open_feats(scp)


def test_impossible_options(dumps: tuple[Path, Path], tmp_path: Path) -> None:
    files = dumps[1]
    words = ["--wav-scp", files / "wav.scp", "--feature", files / "feature.yaml", "--out-ark", tmp_path / "a"]
    with pytest.raises(UserError, match="--compression 3: with store: wav no archive is written"):
        make_feats([*map(str, words), "--out-scp", str(tmp_path / "s"), "--compression", "3"])
    assert not (tmp_path / "s").exists()
    (files / "feature.yaml").write_text("name: raw\nstore: flac\n")
    with pytest.raises(UserError, match="store is ark or wav, not 'flac'"):
        open_feats(files / "feats.scp")
