"""A dumped data directory as batches of tensors."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from espnet2_ext.data.crop import CENTRE, ZERO, Crop
from espnet2_ext.data.labels import read_all_labels, read_soft_labels
from espnet2_ext.data.streams import CutRow, Stream, StreamOptions
from espnet2_ext.errors import UserError
from espnet2_ext.feature.stored import open_feats
from espnet2_ext.mtl.task_spec import TaskSpec

Batch = tuple[list[str], dict[str, Tensor]]


class Item(NamedTuple):
    """One row of a batch.

    Attributes:
        number: Utterance number.
        position: Where a training crop is cut, in [0, 1).
        seed: Of all else that is random about the row, from 0.
    """

    number: int
    position: float = 0.5
    seed: int = 0


class MTLDataset(torch.utils.data.Dataset):
    """Features from arks and labels from `utt2<task>`; features are read when a batch is made.

    Args:
        directory: `dump/<feature>/<set>` with feats.scp and the label files.
        spec: The tasks.
        crop: How utterances are cut.
        train: Whether crops are cut at the sampled position, or as `crop.evaluation` says.
        soft_labels: Classifications whose targets are the probabilities in `utt2<task>_soft`, and not `utt2<task>`.
        streams: Further streams `<stream>.scp`, cut as the features are.
        streams_required: Whether these files must be there; else all utterances may lack them.

    Attributes:
        utts: Utterance ids in the order of feats.scp.
        targets: By task: (N, D) float32, NaN where missing; (N,) int64, -1 where missing; or, of soft labels, (N, C)
            float32 probabilities, NaN where missing.

    Raises:
        UserError: No feats.scp, no utterance, or bad labels.
    """

    def __init__(
        self,
        directory: str | Path,
        spec: TaskSpec,
        crop: Crop,
        train: bool,
        soft_labels: Sequence[str] = (),
        streams: Mapping[str, StreamOptions] | None = None,
        streams_required: bool = True,
    ) -> None:
        self.reader = open_feats(Path(directory) / "feats.scp")
        self.directory, self.utts = directory, list(self.reader.keys())
        if not self.utts:
            raise UserError(f"{directory}/feats.scp: no utterance; run stages 1 to 3 again")
        self.targets = read_all_labels(directory, spec.tasks, self.utts)
        for name in soft_labels:
            self.targets[name] = read_soft_labels(Path(directory) / f"utt2{name}_soft", spec[name], self.utts)
        self.crop, self.train = crop, train
        self.streams = [Stream(directory, name, conf, streams_required) for name, conf in (streams or {}).items()]

    def __len__(self) -> int:
        return len(self.utts)

    @property
    def feature_size(self) -> int:
        """Width D of the features.

        Raises:
            UserError: They are no matrices.
        """
        shape = self.reader.shape(self.utts[0])
        if len(shape) != 2:
            raise UserError(
                f"{self.directory}/feats.scp: {self.utts[0]}: features of shape {shape} are no (T, D) matrix"
            )
        return shape[1]

    def __getitems__(self, items: Sequence[Item]) -> Batch:
        """Make one batch.

        Args:
            items: The rows.

        Returns:
            Utterance ids, and `feats` (B, T, D), targets by task, `feats_lengths` (B,) where rows may hold frames that
            are not valid, and what `Stream.batch` gives of each stream.
        """
        numbers = [item.number for item in items]
        matrices = [self._read(self.utts[number]) for number in numbers]
        rows = [self._row(item, len(matrix)) for item, matrix in zip(items, matrices, strict=True)]
        feats = np.zeros((len(items), max(row.frames for row in rows), matrices[0].shape[1]), dtype=np.float32)
        lengths = np.empty(len(items), dtype=np.int64)
        for number, (matrix, row) in enumerate(zip(matrices, rows, strict=True)):
            feats[number, : row.frames], lengths[number] = self.crop.cut(matrix, row.frames, row.position)
        batch = {"feats": torch.from_numpy(feats)}
        if self.crop.padding == ZERO or not (self.train or self.crop.evaluation == CENTRE):
            batch["feats_lengths"] = torch.from_numpy(lengths)
        for stream in self.streams:
            batch |= stream.batch(rows, self.crop)
        batch.update({name: torch.from_numpy(target[numbers]) for name, target in self.targets.items()})
        return [self.utts[number] for number in numbers], batch

    def _row(self, item: Item, total: int) -> CutRow:
        """Say where an item, an utterance of `total` frames, is cut."""
        frames = self.crop.target_frames(total, self.train)
        return CutRow(self.utts[item.number], total, frames, item.position if self.train else 0.5)

    def _read(self, utt: str) -> np.ndarray:
        return self._checked(utt, self.reader[utt])

    def _checked(self, utt: str, matrix: np.ndarray) -> np.ndarray:
        if matrix.ndim != 2 or matrix.shape[1] != self.feature_size or not len(matrix):
            raise UserError(
                f"{self.directory}/feats.scp: {utt}: features of shape {matrix.shape}, where (T, {self.feature_size}) "
                "is wanted; run stages 2 and 3 again"
            )
        return matrix


def keep_batch(batch: Batch) -> Batch:
    """Collate function for a data set that makes whole batches."""
    return batch
