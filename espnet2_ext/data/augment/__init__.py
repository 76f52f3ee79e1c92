"""Augmentation of training data: one class a file, listed under `augment` in a training configuration."""

from espnet2_ext.data.augment.abs_augmentation import AbsAugmentation, AbsFeatureAugmentation, AbsWaveAugmentation
from espnet2_ext.data.augment.registry import AUGMENTATIONS, Augmentations, build_augmentations

__all__ = [
    "AUGMENTATIONS",
    "AbsAugmentation",
    "AbsFeatureAugmentation",
    "AbsWaveAugmentation",
    "Augmentations",
    "build_augmentations",
]
