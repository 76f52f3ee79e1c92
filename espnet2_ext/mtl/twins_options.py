"""What makes a training one of twins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from espnet2_ext.data.augment.spec_augment import SpecAugment
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.option_values import finite_number
from espnet2_ext.mtl.registry import build_by_name
from espnet2_ext.mtl.task import TWIN_MASKS

__all__ = ["BARLOW_TWINS", "TWIN_MASKS", "TwinsOptions", "build_twins", "twin_name"]

# The loss between the views, beside those of the tasks.
BARLOW_TWINS = "barlow_twins"
# Two stripes of up to 64 frames and two of up to 8 bins; the paper bounds no mask by a share of the frames.
_SPEC_AUGMENT = {"max_time_frames": 64, "max_time_fraction": 1.0}


@dataclass(frozen=True)
class TwinsOptions:
    """Options of the redundancy reduction twins network (Jing et al., 2022); the defaults are the paper's.

    Attributes:
        projector: Width of each layer between the embedding and the Barlow Twins loss.
        off_diagonal_weight: lambda >= 0 of that loss.
        spec_augment: Masks of the second view.
    """

    projector: Sequence[int] = (2048,)
    off_diagonal_weight: float = 0.001
    spec_augment: SpecAugment = field(default_factory=lambda: SpecAugment(**_SPEC_AUGMENT))

    def loss_names(self, task_names: Sequence[str]) -> tuple[str, ...]:
        """Names of the losses that the weighting combines: of both views of each task, and between the views.

        Raises:
            UserError: A task's name is that of another loss.
        """
        names = (*task_names, *map(twin_name, task_names), BARLOW_TWINS)
        taken = [name for name in task_names if names.count(name) > 1]
        if taken:
            raise UserError(f"task {taken[0]!r}: with twins this is the name of another loss; rename the task")
        return names


def twin_name(task: str) -> str:
    """Name of a task's loss on the second view."""
    return f"{task}_twin"


def build_twins(conf: Mapping[str, Any] | None) -> TwinsOptions:
    """Build the options of `twins_conf`.

    Raises:
        UserError: An option is unknown or impossible.
    """
    conf = dict(conf or {})
    masks = conf.pop("spec_augment", {})
    if not isinstance(masks, Mapping):
        raise UserError(f"twins_conf: spec_augment is a mapping of its options, not {masks!r}")
    options = _SPEC_AUGMENT | dict(masks)
    conf["spec_augment"] = build_by_name("twins_conf", {"spec_augment": SpecAugment}, "spec_augment", options)
    twins = build_by_name("option", {"twins_conf": TwinsOptions}, "twins_conf", conf)
    sizes = twins.projector
    if not isinstance(sizes, list | tuple) or not sizes or not all(type(size) is int and size > 0 for size in sizes):
        raise UserError(f"twins_conf: projector {sizes!r} is no list of widths from 1, such as [2048]")
    if finite_number("twins_conf: off_diagonal_weight", twins.off_diagonal_weight) < 0:
        raise UserError(f"twins_conf: off_diagonal_weight {twins.off_diagonal_weight:g} is below 0")
    return twins
