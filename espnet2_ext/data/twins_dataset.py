"""Training batches with the masks of a second view."""

from collections.abc import Sequence

import numpy as np
import torch

from espnet2_ext.data.augment.spec_augment import SpecAugment
from espnet2_ext.data.dataset import Batch, Item, MTLDataset
from espnet2_ext.mtl.task import TWIN_MASKS

# Tells the draws of masks from those of augmentations, which start from the row's seed alone.
_STREAM = 1


class TwinsDataset(torch.utils.data.Dataset):
    """Adds to each batch where its second view is masked; the view itself is made where the model runs.

    The masks of a row are drawn from its seed alone, so they are the same for any number of ranks, for any number of
    workers, and in a resumed epoch.

    Args:
        dataset: Makes the batches.
        spec_augment: What masks are drawn.

    Raises:
        UserError: The features have one bin, and masks in frequency are drawn.
    """

    def __init__(self, dataset: MTLDataset, spec_augment: SpecAugment) -> None:
        self.dataset, self.spec_augment = dataset, spec_augment
        self.directory, self.utts, self.targets = dataset.directory, dataset.utts, dataset.targets
        self.streams = dataset.streams
        spec_augment.check_bins(dataset.feature_size)

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def feature_size(self) -> int:
        """Width D of the features."""
        return self.dataset.feature_size

    def __getitems__(self, items: Sequence[Item]) -> Batch:
        """Make one batch; see `MTLDataset`.

        Returns:
            As there, with `twin_masks` (B, M, 2) int64: start and stop of each mask, those in time first.
        """
        utts, batch = self.dataset.__getitems__(items)
        rows, frames, bins = batch["feats"].shape
        lengths = batch["feats_lengths"].tolist() if "feats_lengths" in batch else [frames] * rows
        masks = [
            self._draw(length, bins, np.random.default_rng([item.seed, _STREAM]))
            for item, length in zip(items, lengths, strict=True)
        ]
        return utts, batch | {TWIN_MASKS: torch.from_numpy(np.stack(masks))}

    def _draw(self, frames: int, bins: int, rng: np.random.Generator) -> np.ndarray:
        chosen = self.spec_augment.chosen(rng)
        return self.spec_augment.draw(frames, bins, rng) * chosen
