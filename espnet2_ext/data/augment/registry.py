"""Augmentations by name, and the list of them in a training configuration."""

from dataclasses import dataclass
from typing import Any

from espnet2_ext.data.augment.abs_augmentation import AbsAugmentation, AbsFeatureAugmentation, AbsWaveAugmentation
from espnet2_ext.data.augment.feature_gain import FeatureGain
from espnet2_ext.data.augment.gain import Gain
from espnet2_ext.data.augment.mixup import Mixup
from espnet2_ext.data.augment.noise import Noise
from espnet2_ext.data.augment.spec_augment import SpecAugment
from espnet2_ext.data.augment.speed import Speed
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.registry import build_by_name

AUGMENTATIONS: dict[str, type[AbsAugmentation]] = {
    augmentation.name: augmentation for augmentation in (Speed, Noise, Gain, FeatureGain, Mixup, SpecAugment)
}


@dataclass(frozen=True)
class Augmentations:
    """The augmentations of a training, in the order in which they are applied.

    Attributes:
        waves: Of each wave.
        before: Of each utterance's cropped features, before it is mixed.
        mixup: Mixes two utterances, or None.
        after: Of the mixture.
    """

    waves: tuple[AbsWaveAugmentation, ...] = ()
    before: tuple[AbsFeatureAugmentation, ...] = ()
    mixup: Mixup | None = None
    after: tuple[AbsFeatureAugmentation, ...] = ()

    @property
    def in_order(self) -> tuple[AbsAugmentation, ...]:
        """All of them."""
        return (*self.waves, *self.before, *([self.mixup] if self.mixup else []), *self.after)

    @property
    def needs_logarithms(self) -> str:
        """Name of one that is defined for logarithms of energies only; empty for none."""
        return next((a.name for a in self.in_order if getattr(a, "needs_logarithms", False)), "")


def build_augmentations(conf: Any) -> Augmentations:
    """Make the augmentations of a list of mappings, each a `name` and its options.

    Raises:
        UserError: It is no such list; a name or an option is unknown or impossible; waves would be changed after
            features, or utterances be mixed twice.
    """
    if not isinstance(conf, list | tuple):
        raise UserError(f"augment: give a list such as [{{name: spec_augment}}], not {conf!r}")
    augmentations = Augmentations()
    for item in conf:
        augmentations = _append(augmentations, _build(item))
    return augmentations


def _build(item: Any) -> AbsAugmentation:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise UserError(f"augment: every augmentation is a mapping with a name, not {item!r}")
    options = {option: value for option, value in item.items() if option != "name"}
    return build_by_name("augment", AUGMENTATIONS, item["name"], options)


def _append(known: Augmentations, new: AbsAugmentation) -> Augmentations:
    if isinstance(new, AbsWaveAugmentation):
        if known.before or known.mixup:
            raise UserError(
                f"augment: {new.name} changes waves; put it before {(known.before or (known.mixup,))[0].name}"
            )
        return Augmentations((*known.waves, new))
    if isinstance(new, Mixup):
        if known.mixup:
            raise UserError("augment: mixup comes twice; keep one of them")
        return Augmentations(known.waves, known.before, new)
    if known.mixup is None:
        return Augmentations(known.waves, (*known.before, new))
    return Augmentations(known.waves, known.before, known.mixup, (*known.after, new))
