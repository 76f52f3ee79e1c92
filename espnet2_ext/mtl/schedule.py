"""A number in [0, 1] that goes from one value to another by epochs."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from espnet2_ext.mtl.option_values import fraction, one_of, whole_number
from espnet2_ext.mtl.registry import build_by_name


class Schedule:
    """`start` in the first epoch, `end` in epoch `epochs` and after it, and constant within an epoch.

    In epoch e, with f = min(1, (e - 1) / (epochs - 1)): start + (end - start) f for `linear`, and
    start + (end - start) (1 - cos(pi f)) / 2 for `cosine`. Whoever has one keeps the epochs that are over in a buffer,
    so that a checkpoint carries them.

    Args:
        option: What it is called, for messages.
        start: The value in the first epoch, in [0, 1].
        end: The value from epoch `epochs` on, in [0, 1].
        epochs: Epochs from start to end, both counted, >= 2; as a rule `max_epoch`.
        shape: `linear` or `cosine`.

    Raises:
        UserError: An option is out of its range.
    """

    def __init__(self, option: str, start: float, end: float, epochs: int, shape: str = "linear") -> None:
        self.start, self.end = fraction(f"{option}: start", start), fraction(f"{option}: end", end)
        self.epochs = whole_number(f"{option}: epochs", epochs, 2)
        self.shape = one_of(f"{option}: shape", shape, ("linear", "cosine"))

    def value(self, epochs_done: Tensor) -> Tensor:
        """Epochs that are over, () floating point -> the value () of the epoch that runs."""
        done = (epochs_done / (self.epochs - 1)).clamp(max=1.0)
        if self.shape == "cosine":
            done = (1 - torch.cos(math.pi * done)) / 2
        return self.start + (self.end - self.start) * done

    def __repr__(self) -> str:
        return f"{self.shape} from {self.start:g} to {self.end:g} over {self.epochs} epochs"


def build_schedule(option: str, value: float | Mapping[str, Any]) -> Schedule:
    """Build the schedule of an option that is a number in [0, 1], for all epochs, or `start`, `end`, `epochs`, `shape`.

    Raises:
        UserError: It is neither, or an option is unknown, missing or out of its range.
    """
    if isinstance(value, Mapping):
        return build_by_name(option, {"schedule": Schedule}, "schedule", value, option)
    number = fraction(option, value)
    return Schedule(option, number, number, 2)
