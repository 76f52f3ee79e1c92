"""Losses of the tasks, by name."""

from typing import Any

from espnet2_ext.mtl.loss.abs_loss import AbsLoss
from espnet2_ext.mtl.loss.barlow_twins import barlow_twins_loss
from espnet2_ext.mtl.loss.ccc import CCCLoss, ccc_loss
from espnet2_ext.mtl.loss.cross_entropy import CrossEntropyLoss, cross_entropy_loss
from espnet2_ext.mtl.loss.l1 import L1Loss, l1_loss
from espnet2_ext.mtl.loss.mse import MSELoss, mse_loss
from espnet2_ext.mtl.registry import build_by_name

LOSSES: dict[str, type[AbsLoss]] = {
    "ccc": CCCLoss,
    "mse": MSELoss,
    "l1": L1Loss,
    "cross_entropy": CrossEntropyLoss,
}


def build_loss(name: str, **conf: Any) -> AbsLoss:
    """Build the loss `name` with its options.

    Raises:
        UserError: Unknown name or option, or an option out of its range.
    """
    return build_by_name("loss", LOSSES, name, conf)


__all__ = [
    "LOSSES",
    "AbsLoss",
    "CCCLoss",
    "CrossEntropyLoss",
    "L1Loss",
    "MSELoss",
    "barlow_twins_loss",
    "build_loss",
    "ccc_loss",
    "cross_entropy_loss",
    "l1_loss",
    "mse_loss",
]
