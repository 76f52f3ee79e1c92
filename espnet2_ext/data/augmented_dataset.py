"""Training batches of augmented utterances."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from espnet2_ext.data.augment import Augmentations
from espnet2_ext.data.augment.abs_augmentation import apply_features
from espnet2_ext.data.augment.mix_targets import mix_targets
from espnet2_ext.data.augment.spec_augment import SpecAugment
from espnet2_ext.data.augmented_waves import AugmentedWaves
from espnet2_ext.data.crop import REPEAT, ZERO, Crop
from espnet2_ext.data.dataset import Batch, Item, MTLDataset
from espnet2_ext.errors import UserError
from espnet2_ext.feature import load_feature
from espnet2_ext.mtl.task_spec import TaskSpec


class AugmentedDataset(MTLDataset):
    """Features changed at random when a batch is made, by `Item.seed` alone.

    A row: the wave is changed, features are made of it (without augmentations of waves: read from the ark), they are
    cropped, changed, mixed with a partner's that has gone the same way, and changed again. The partner is cropped to,
    or repeated over, the row's valid frames.

    Args:
        directory: As `MTLDataset`; augmentations of waves and of logarithms need its feature.yaml.
        spec: The tasks.
        crop: How utterances are cut.
        augmentations: What is applied.
        soft_labels: As `MTLDataset`.

    Raises:
        UserError: As `MTLDataset`; an augmentation does not fit the features, or there is none to mix with.
    """

    def __init__(
        self,
        directory: str | Path,
        spec: TaskSpec,
        crop: Crop,
        augmentations: Augmentations,
        soft_labels: Sequence[str] = (),
    ) -> None:
        super().__init__(directory, spec, crop, True, soft_labels)
        self.spec, self.augmentations = spec, augmentations
        self._partner_crop = Crop(padding=REPEAT)
        self.log_scale = None
        if augmentations.needs_logarithms:
            feature = load_feature(Path(directory) / "feature.yaml")
            self.log_scale = feature.log_scale
            if self.log_scale is None:
                raise UserError(
                    f"augment {augmentations.needs_logarithms}: features {feature.name} of {directory} are no "
                    "logarithms of energies; leave it out"
                )
        for masks in (a for a in augmentations.in_order if isinstance(a, SpecAugment)):
            masks.check_bins(self.feature_size)
        if augmentations.mixup and len(self) < 2:
            raise UserError(f"{directory}/feats.scp: mixup needs two utterances, there is one")
        self._waves = AugmentedWaves(directory, self.reader, augmentations.waves) if augmentations.waves else None

    def __getitems__(self, items: Sequence[Item]) -> Batch:
        """Make one batch; see `MTLDataset`. With mixup, targets of classes are probabilities (B, C), NaN if missing."""
        rngs = [np.random.default_rng(item.seed) for item in items]
        numbers = [item.number for item in items]
        partners = [self._partner(item.number, rng) for item, rng in zip(items, rngs, strict=True)]
        mixed = [row for row, partner in enumerate(partners) if partner != numbers[row]]
        matrices = self._matrices(numbers + [partners[row] for row in mixed], rngs + [rngs[row] for row in mixed])
        others = dict(zip(mixed, matrices[len(items) :], strict=True))
        feats = np.zeros((len(items), self.crop.frames, matrices[0].shape[1]), dtype=np.float32)
        lengths = np.empty(len(items), dtype=np.int64)
        weights = np.ones(len(items))
        for row, (item, rng) in enumerate(zip(items, rngs, strict=True)):
            cut, length = self.crop.cut(matrices[row], self.crop.frames, item.position)
            feats[row, :length], weights[row] = self._change(cut[:length], others.get(row), rng)
            lengths[row] = length
        batch = {"feats": torch.from_numpy(feats)}
        if self.crop.padding == ZERO:
            batch["feats_lengths"] = torch.from_numpy(lengths)
        batch.update(self._targets(numbers, partners, weights))
        return [self.utts[number] for number in numbers], batch

    def _partner(self, number: int, rng: np.random.Generator) -> int:
        """Draw another utterance to mix with, or the utterance itself where it is not mixed."""
        mixup = self.augmentations.mixup
        if mixup is None or not mixup.chosen(rng):
            return number
        return (number + 1 + int(rng.integers(len(self) - 1))) % len(self)

    def _matrices(self, numbers: Sequence[int], rngs: Sequence[np.random.Generator]) -> list[np.ndarray]:
        utts = [self.utts[number] for number in numbers]
        if self._waves is None:
            return [self._read(utt) for utt in utts]
        return [self._checked(utt, matrix) for utt, matrix in zip(utts, self._waves.features(utts, rngs), strict=True)]

    def _change(
        self, feats: np.ndarray, other: np.ndarray | None, rng: np.random.Generator
    ) -> tuple[np.ndarray, float]:
        """Change cropped (T, D) features, and mix them with a partner's; return them and their weight."""
        augmentations, weight = self.augmentations, 1.0
        feats = apply_features(augmentations.before, feats, self.log_scale, rng)
        if other is not None:
            weight = augmentations.mixup.weight(rng)
            other, _ = self._partner_crop.cut(other, len(feats), rng.random())
            other = apply_features(augmentations.before, other, self.log_scale, rng)
            feats = augmentations.mixup.mix(feats, other, weight, self.log_scale)
        return apply_features(augmentations.after, feats, self.log_scale, rng), weight

    def _targets(self, numbers: Sequence[int], partners: Sequence[int], weights: np.ndarray) -> dict[str, torch.Tensor]:
        if self.augmentations.mixup is None:
            return {name: torch.from_numpy(target[numbers]) for name, target in self.targets.items()}
        return {
            task.name: torch.from_numpy(mix_targets(task, self.targets[task.name], numbers, partners, weights))
            for task in self.spec
        }
