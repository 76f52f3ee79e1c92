"""Masks of the second view: drawn from the row's seed alone, within the valid frames."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_dump import N_BINS, TASKS, make_dump

from espnet2_ext.data.augment.spec_augment import SpecAugment
from espnet2_ext.data.crop import Crop
from espnet2_ext.data.dataset import Item, MTLDataset
from espnet2_ext.data.sampler import EpochBatchSampler
from espnet2_ext.data.twins_dataset import TwinsDataset
from espnet2_ext.mtl.task_spec import task_spec_from_dict

MASKS = SpecAugment(n_time_masks=2, max_time_frames=64, max_time_fraction=1.0, n_freq_masks=1, max_freq_bins=3)


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dump") / "train"
    make_dump(path, 12, 0, "tr")
    return path


def build(dump: Path, masks: SpecAugment = MASKS, **crop: object) -> TwinsDataset:
    dataset = MTLDataset(dump, task_spec_from_dict(TASKS), Crop(**{"frames": 20} | crop), train=True)
    return TwinsDataset(dataset, masks)


def test_batch_is_that_of_the_data_set_with_masks(dump: Path) -> None:
    twins, items = build(dump), [Item(3, 0.2, 17), Item(5, 0.7, 18)]
    utts, batch = twins.__getitems__(items)
    plain_utts, plain = twins.dataset.__getitems__(items)
    assert utts == plain_utts
    assert batch.keys() - plain.keys() == {"twin_masks"}
    assert all(torch.equal(batch[name], plain[name]) for name in plain)
    assert (len(twins), twins.feature_size) == (12, N_BINS)
    assert batch["twin_masks"].shape == (2, 3, 2)
    assert batch["twin_masks"].dtype == torch.int64


def test_rows_of_ranks_are_those_of_one_process(dump: Path) -> None:
    """Whatever the batch is cut into: rows of two ranks, and of each row alone."""
    twins = build(dump)
    whole = [batch for items in EpochBatchSampler(12, 6, 3) for batch in [twins.__getitems__(items)[1]]]
    for rank in (0, 1):
        for batch, items in zip(whole, EpochBatchSampler(12, 6, 3, rank, 2), strict=True):
            assert torch.equal(twins.__getitems__(items)[1]["twin_masks"], batch["twin_masks"][rank::2])
    sampler = EpochBatchSampler(12, 6, 3)
    sampler.epoch = 2
    assert not torch.equal(twins.__getitems__(next(iter(sampler)))[1]["twin_masks"], whole[0]["twin_masks"])


def test_masks_have_the_widths_of_the_options_and_end_with_the_valid_frames(dump: Path) -> None:
    twins = build(dump, padding="zero", frames=30)
    widths, tops = [], []
    for seed in range(150):
        _, batch = twins.__getitems__([Item(number, 0.5, 100 * seed + number) for number in range(12)])
        starts, stops = batch["twin_masks"].unbind(2)
        assert (starts >= 0).all()
        assert (starts <= stops).all()
        assert (stops[:, :2] <= batch["feats_lengths"][:, None]).all()
        assert (stops[:, 2] <= N_BINS).all()
        widths += (stops - starts)[:, 2].tolist()
        tops.append((stops[:, :2] == batch["feats_lengths"][:, None]).any().item())
    counts = np.bincount(widths)
    assert len(counts) == 4  # uniform over 0, 1, 2, 3: 450 each, deviation 18
    assert np.abs(counts - 450).max() < 5 * 18
    assert any(tops)


def test_probability(dump: Path) -> None:
    masks = SpecAugment(probability=0.25, n_time_masks=0, n_freq_masks=1, max_freq_bins=8)
    items = [Item(0, 0.5, seed) for seed in range(400)]
    starts, stops = build(dump, masks).__getitems__(items)[1]["twin_masks"].unbind(2)
    # A width of 0 is one of nine: 400 x 0.25 x 8/9 = 89 rows, deviation 8.3.
    assert 89 - 42 < (stops > starts).sum().item() < 89 + 42
