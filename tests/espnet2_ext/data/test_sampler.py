"""Batches: every epoch a permutation, the same for any number of ranks; every dev utterance once."""

import itertools
import logging

import numpy as np
import pytest

from espnet2_ext.data.dataset import Item
from espnet2_ext.data.sampler import EpochBatchSampler, SequentialBatchSampler
from espnet2_ext.errors import UserError

Items = list[list[Item]]


def epoch_of(number: int, n_utts: int = 37, size: int = 8, seed: int = 3, rank: int = 0, ranks: int = 1) -> Items:
    sampler = EpochBatchSampler(n_utts, size, seed, rank, ranks)
    sampler.epoch = number
    batches = list(sampler)
    assert len(batches) == len(sampler)
    return batches


def numbers(batches: Items) -> list[int]:
    return [number for batch in batches for number, _, _ in batch]


@pytest.mark.parametrize(("n_utts", "size"), [(37, 8), (40, 8), (41, 8), (8, 8), (1, 1), (9, 1), (15, 8)])
def test_epoch_is_a_permutation_with_a_filled_tail(n_utts: int, size: int) -> None:
    batches = epoch_of(1, n_utts, size)
    assert {len(batch) for batch in batches} == {size}
    assert len(batches) == int(np.ceil(n_utts / size))
    order = numbers(batches)
    assert sorted(order[:n_utts]) == list(range(n_utts))
    # The tail is filled from the permutation's start, never with a repetition inside one batch.
    assert order[n_utts:] == order[: len(order) - n_utts]
    assert all(len(set(numbers([batch]))) == size for batch in batches)


def test_positions_are_crop_positions() -> None:
    positions = [position for batch in epoch_of(1) for _, position, _ in batch]
    assert all(0 <= position < 1 for position in positions)
    assert len(set(positions)) == 37


def test_same_seed_same_order_and_epochs_differ() -> None:
    assert epoch_of(1) == epoch_of(1)
    assert epoch_of(1) != epoch_of(2)
    assert epoch_of(1) != epoch_of(1, seed=4)
    # Batches hold other utterances, not the same ones in another order.
    contents = [{frozenset(numbers([batch])) for batch in epoch_of(e)} for e in (1, 2, 3)]
    assert not any(a & b for a, b in itertools.combinations(contents, 2))


def test_resumed_epoch_is_the_same() -> None:
    """A sampler that has seen epochs 1 to 3, and a fresh one: epoch 4 is one and the same."""
    sampler = EpochBatchSampler(37, 8, 3)
    for sampler.epoch in (1, 2, 3):
        list(sampler)
    sampler.epoch = 4
    assert list(sampler) == epoch_of(4)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_share_the_batches_of_one_rank(ranks: int) -> None:
    whole = epoch_of(5)
    parts = [epoch_of(5, rank=rank, ranks=ranks) for rank in range(ranks)]
    for step, batch in enumerate(whole):
        rows = [part[step] for part in parts]
        assert {len(row) for row in rows} == {8 // ranks}
        assert sorted(item for row in rows for item in row) == sorted(batch)


@pytest.mark.parametrize(("n_utts", "ranks", "expected"), [(5, 1, 5), (5, 2, 4), (7, 4, 4)])
def test_fewer_utterances_than_a_batch(
    n_utts: int, ranks: int, expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        sampler = EpochBatchSampler(n_utts, 32, 0, 0, ranks)
    assert sampler.batch_size == expected
    assert f"there are {n_utts} training utterances" in caplog.text


@pytest.mark.parametrize(("n_utts", "size", "ranks"), [(10, 9, 2), (10, 0, 1), (10, -4, 1), (2, 3, 3)])
def test_impossible_batch_sizes(n_utts: int, size: int, ranks: int) -> None:
    with pytest.raises(UserError, match="ranks"):
        EpochBatchSampler(n_utts, size, 0, 0, ranks)


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("n_utts", range(1, 21))
def test_evaluation_covers_each_utterance_once(n_utts: int, ranks: int) -> None:
    for size in (1, 3, 8):
        shards = [SequentialBatchSampler(n_utts, size, rank, ranks) for rank in range(ranks)]
        assert [len(list(shard)) for shard in shards] == [len(shard) for shard in shards]
        batches = [batch for shard in shards for batch in shard]
        assert sorted(numbers(batches)) == list(range(n_utts))
        assert all(0 < len(batch) <= size for batch in batches)


def test_evaluation_batch_size() -> None:
    with pytest.raises(UserError, match="valid_batch_size"):
        SequentialBatchSampler(10, -1)
