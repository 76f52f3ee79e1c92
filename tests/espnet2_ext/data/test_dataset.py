"""Batches from a dump directory."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_dump import N_BINS, TASKS, make_dump

from espnet2_ext.data.crop import Crop
from espnet2_ext.data.dataset import Item, MTLDataset, keep_batch
from espnet2_ext.data.sampler import SequentialBatchSampler
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark import ArkReader, ArkWriter
from espnet2_ext.fileio.table import write_table
from espnet2_ext.mtl.task_spec import task_spec_from_dict

SPEC = task_spec_from_dict(TASKS)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    make_dump(tmp_path / "dump", 9, 0, "tr")
    return tmp_path / "dump"


def write_feats(folder: Path, **feats: np.ndarray) -> Path:
    folder.mkdir()
    with ArkWriter(folder / "feats.ark", folder / "feats.scp") as writer:
        for utt, value in feats.items():
            writer.write(utt, value)
    return folder


def test_centre_crops_and_targets(dump: Path) -> None:
    dataset = MTLDataset(dump, SPEC, Crop(frames=10), train=False)
    reader = ArkReader(dump / "feats.scp")
    utts, batch = dataset.__getitems__([Item(4, 0.9), Item(0, 0.1)])
    assert utts == [dataset.utts[4], dataset.utts[0]]
    assert batch.keys() == {"feats", "emotion", "age", "country"}
    assert batch["feats"].shape == (2, 10, N_BINS)
    for row, utt in enumerate(utts):  # the sampler's position is for training
        feats = reader[utt]
        start = (len(feats) - 10 + 1) // 2
        np.testing.assert_array_equal(batch["feats"][row].numpy(), feats[start : start + 10])
    assert batch["country"].dtype == torch.int64
    assert [batch[name].dtype for name in ("emotion", "age", "feats")] == [torch.float32] * 3
    for name in SPEC.names:
        np.testing.assert_array_equal(batch[name].numpy(), dataset.targets[name][[4, 0]])


def test_soft_labels_take_the_place_of_classes(dump: Path) -> None:
    utts = MTLDataset(dump, SPEC, Crop(frames=10), train=True).utts
    write_table(dump / "utt2country_soft", {utts[2]: "0.25 0.75", utts[5]: "nan nan"})
    dataset = MTLDataset(dump, SPEC, Crop(frames=10), True, ["country"])
    _, batch = dataset.__getitems__([Item(5), Item(2), Item(0)])
    nan = float("nan")
    np.testing.assert_array_equal(batch["country"].numpy(), np.float32([[nan, nan], [0.25, 0.75], [nan, nan]]))
    assert batch["age"].shape == (3, 1)


def test_training_crops_are_where_the_sampler_says(dump: Path) -> None:
    dataset = MTLDataset(dump, SPEC, Crop(frames=10), train=True)
    feats = ArkReader(dump / "feats.scp")[dataset.utts[2]]
    _, batch = dataset.__getitems__([Item(2, 0.0), Item(2, 0.999)])
    np.testing.assert_array_equal(batch["feats"].numpy(), np.stack([feats[:10], feats[-10:]]))


def test_zero_padding_gives_lengths(dump: Path) -> None:
    dataset = MTLDataset(dump, SPEC, Crop(frames=30, padding="zero"), train=True)
    reader = ArkReader(dump / "feats.scp")
    utts, batch = dataset.__getitems__([Item(i, 0.0) for i in range(9)])
    expected = [min(30, len(reader[utt])) for utt in utts]
    assert min(expected) < 30
    assert batch["feats_lengths"].tolist() == expected
    for row, length in enumerate(expected):
        assert not batch["feats"][row, length:].any()
        np.testing.assert_array_equal(batch["feats"][row, :length].numpy(), reader[utts[row]][:length])


def test_whole_utterances(dump: Path) -> None:
    dataset = MTLDataset(dump, SPEC, Crop(frames=10, evaluation="whole", min_frames=20), train=False)
    reader = ArkReader(dump / "feats.scp")
    utts, batch = dataset.__getitems__([Item(i) for i in range(9)])
    frames = [len(reader[utt]) for utt in utts]
    assert min(frames) < 20 < max(frames)
    assert batch["feats"].shape[1] == max(frames)
    assert batch["feats_lengths"].tolist() == [max(20, n) for n in frames]  # repeated, so all are valid
    for row, n in enumerate(frames):
        np.testing.assert_array_equal(batch["feats"][row, :n].numpy(), reader[utts[row]])


def test_features_are_read_when_a_batch_is_made(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = ArkReader.__getitem__

    def counted(self: ArkReader, utt: str) -> np.ndarray:
        read.append(utt)
        return original(self, utt)

    monkeypatch.setattr(ArkReader, "__getitem__", counted)
    dataset = MTLDataset(dump, SPEC, Crop(frames=10), train=True)
    assert len(dataset) == 9
    assert dataset.feature_size == N_BINS
    assert read == []
    for _ in range(2):  # nothing is kept from the first time either
        dataset.__getitems__([Item(3), Item(1)])
    assert read == [dataset.utts[3], dataset.utts[1]] * 2


def test_workers_give_the_same_batches(dump: Path) -> None:
    dataset = MTLDataset(dump, SPEC, Crop(frames=10), train=False)
    loaders = [
        torch.utils.data.DataLoader(
            dataset, batch_sampler=SequentialBatchSampler(9, 4), collate_fn=keep_batch, num_workers=workers
        )
        for workers in (0, 1)
    ]
    batches = list(zip(*loaders, strict=True))
    assert len(batches) == 3
    for (utts, one), (others, two) in batches:
        assert utts == others
        for name in one:
            torch.testing.assert_close(one[name], two[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("shape", [(20, 7), (0, 8), (8,)])
def test_an_odd_matrix_is_one_line(tmp_path: Path, shape: tuple[int, ...]) -> None:
    folder = write_feats(tmp_path / "d", a=np.ones((20, 8)), b=np.ones(shape))
    dataset = MTLDataset(folder, SPEC, Crop(frames=4), train=True)
    with pytest.raises(UserError, match=r"feats\.scp: b: features of shape"):
        dataset.__getitems__([Item(0), Item(1)])


def test_vectors_are_refused(tmp_path: Path) -> None:
    folder = write_feats(tmp_path / "d", a=np.ones(8))
    with pytest.raises(UserError, match=r"no \(T, D\) matrix"):
        _ = MTLDataset(folder, SPEC, Crop(), train=True).feature_size


def test_no_pipe_runs(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "feats.scp").write_text(f"a touch {marker} |\n")
    with pytest.raises(UserError, match="pipe is not run"):
        MTLDataset(tmp_path, SPEC, Crop(), train=True)
    assert not marker.exists()


def test_no_pickled_entry_runs(tmp_path: Path) -> None:
    """kaldiio unpickles an entry that starts with PKL."""
    import pickle

    marker = tmp_path / "marker"

    class Payload:
        def __reduce__(self) -> tuple:
            import os

            return os.system, (f"touch {marker}",)

    (tmp_path / "feats.ark").write_bytes(b"a PKL" + pickle.dumps(Payload()))
    (tmp_path / "feats.scp").write_text(f"a {tmp_path}/feats.ark:2\n")
    dataset = MTLDataset(tmp_path, SPEC, Crop(), train=True)
    for use in (lambda: dataset.feature_size, lambda: dataset.__getitems__([Item(0)])):
        with pytest.raises(UserError, match="utterance a"):
            use()
    assert not marker.exists()
