"""Interface of a balance between two loss weightings."""

from abc import ABC, abstractmethod

import torch


class AbsBalance(torch.nn.Module, ABC):
    """The coefficient b in [0, 1] of total = 2 (b T_DWA + (1 - b) T_RRUW).

    Half and half is T_DWA + T_RRUW. All state is float32 parameters and buffers, and belongs to the checkpoint.

    Attributes:
        varies: Whether the coefficient changes while training, and is worth logging.
    """

    varies = True

    @abstractmethod
    def coefficient(self) -> float | torch.Tensor:
        """Return b, a number or () without gradient; never waits for the device."""

    def on_epoch_end(self) -> None:
        """Take note that a training epoch is over; by default nothing."""
