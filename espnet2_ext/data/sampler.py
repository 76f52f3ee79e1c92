"""Batches of one fixed size, shuffled by utterance every epoch, sharded over ranks."""

import logging
from collections.abc import Iterator

import numpy as np
import torch

from espnet2_ext.data.dataset import Item
from espnet2_ext.errors import UserError


class EpochBatchSampler(torch.utils.data.Sampler):
    """Training batches.

    Every epoch is a new permutation of all utterances, cut into batches of the global batch size; the last batch is
    filled up from the permutation's start, so every step has the same shape and batch statistics (CCC) never rest on a
    small rest. Permutation, crop positions and the items' seeds depend on seed and epoch alone: they are the same for
    any number of ranks, and a resumed epoch repeats them.

    Args:
        n_utts: Number of utterances.
        batch_size: Global batch size, over all ranks.
        seed: Seed.
        rank: This rank.
        world_size: Number of ranks.

    Attributes:
        epoch: The epoch (from 1) that the next iteration is for.

    Raises:
        UserError: The batch size is not a multiple of the number of ranks, or there are fewer utterances than ranks.
    """

    def __init__(self, n_utts: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        if batch_size < 1 or batch_size % world_size:
            raise UserError(f"--batch_size {batch_size}: the global batch size is a multiple of the {world_size} ranks")
        self.batch_size = min(batch_size, n_utts - n_utts % world_size)
        if self.batch_size == 0:
            raise UserError(f"{n_utts} training utterances for {world_size} ranks: use fewer ranks")
        if self.batch_size < batch_size:
            logging.warning(f"batch size {self.batch_size}: there are {n_utts} training utterances")
        self.n_utts, self.seed, self.rank, self.world_size = n_utts, seed, rank, world_size
        self.epoch = 1

    def __len__(self) -> int:
        return -(-self.n_utts // self.batch_size)

    def __iter__(self) -> Iterator[list[Item]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(self.n_utts)
        positions = rng.random(self.n_utts)
        order = np.resize(order, len(self) * self.batch_size).reshape(len(self), self.batch_size)
        seeds = rng.integers(2**63, size=order.shape)
        rows = slice(self.rank, None, self.world_size)
        for numbers, batch_seeds in zip(order[:, rows].tolist(), seeds[:, rows].tolist(), strict=True):
            yield [
                Item(number, float(positions[number]), seed) for number, seed in zip(numbers, batch_seeds, strict=True)
            ]


class SequentialBatchSampler(torch.utils.data.Sampler):
    """Evaluation batches: every utterance once over all ranks, in order.

    Args:
        n_utts: Number of utterances.
        batch_size: Rows of a batch on one rank.
        rank: This rank.
        world_size: Number of ranks.

    Raises:
        UserError: The batch size is below 1.
    """

    def __init__(self, n_utts: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        if batch_size < 1:
            raise UserError(f"--valid_batch_size {batch_size}: give a number from 1")
        self.n_utts, self.batch_size = n_utts, batch_size
        self.rank, self.world_size = rank, world_size

    def __len__(self) -> int:
        return len(range(self.rank * self.batch_size, self.n_utts, self.batch_size * self.world_size))

    def __iter__(self) -> Iterator[list[Item]]:
        for start in range(self.rank * self.batch_size, self.n_utts, self.batch_size * self.world_size):
            yield [Item(number) for number in range(start, min(start + self.batch_size, self.n_utts))]
