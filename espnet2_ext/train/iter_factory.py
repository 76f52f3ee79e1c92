"""ESPnet's iterator factory over our samplers."""

import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from torch.utils.data import DataLoader

from espnet2_ext.data.dataset import MTLDataset, keep_batch
from espnet2_ext.data.sampler import EpochBatchSampler, SequentialBatchSampler
from espnet2_ext.data.twins_dataset import TwinsDataset


class MTLIterFactory(AbsIterFactory):
    """Builds one DataLoader for the whole run, so that its workers live through all epochs.

    Args:
        dataset: Makes batches.
        sampler: Gives the items of each batch.
        num_workers: Processes that read; 0 reads in the training process, which is fastest on a CPU.
        pin_memory: Whether batches lie in pinned memory, for a GPU.
    """

    def __init__(
        self,
        dataset: MTLDataset | TwinsDataset,
        sampler: EpochBatchSampler | SequentialBatchSampler,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        self.sampler = sampler
        # The data set makes a batch from a list of items, so the list is what the loader takes for one index.
        self.loader = DataLoader(
            dataset,
            batch_sampler=sampler,
            collate_fn=keep_batch,
            num_workers=num_workers,
            pin_memory=pin_memory,
            persistent_workers=num_workers > 0,
            # The loader draws when it starts its workers: from torch's own generator, dropout after a resume would
            # differ from that of the run that was not killed.
            generator=torch.Generator(),
            # Batches hold large tensors; forked workers share them through memory instead of pipes.
            multiprocessing_context=torch.multiprocessing.get_context("fork") if num_workers > 0 else None,
        )

    def build_iter(self, epoch: int, shuffle: bool | None = None) -> DataLoader:
        """Return the batches of an epoch (from 1).

        Raises:
            ValueError: `shuffle` is given: the sampler decides.
        """
        if shuffle is not None:
            raise ValueError("shuffle: the sampler decides the order")
        if isinstance(self.sampler, EpochBatchSampler):
            self.sampler.epoch = epoch
        return self.loader
