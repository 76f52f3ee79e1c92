"""A balance that goes from one value to another."""

import math

import torch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.weighting.balance.abs_balance import AbsBalance, fraction
from espnet2_ext.mtl.weighting.task_state import one_of


class ScheduledBalance(AbsBalance):
    """b is `start` in the first epoch, `end` in epoch `epochs` and after it, and constant within an epoch.

    In epoch e, with f = min(1, (e - 1) / (epochs - 1)): start + (end - start) f for `linear`, and
    start + (end - start) (1 - cos(pi f)) / 2 for `cosine`. What is saved is the number of epochs that are over.

    Args:
        start: b in the first epoch, in [0, 1].
        end: b from epoch `epochs` on, in [0, 1].
        epochs: Epochs from start to end, both counted, >= 2; as a rule `max_epoch`.
        shape: `linear` or `cosine`.

    Raises:
        UserError: An option is out of its range.
    """

    def __init__(self, start: float, end: float, epochs: int, shape: str = "linear") -> None:
        super().__init__()
        self.start, self.end = fraction("balance: start", start), fraction("balance: end", end)
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 2:
            raise UserError(f"balance: epochs: must be a whole number of at least 2, not {epochs!r}")
        self.epochs = epochs
        self.shape = one_of("balance: shape", shape, ("linear", "cosine"))
        self.register_buffer("epochs_done", torch.zeros(()))  # float: averaging checkpoints adds up integers

    def coefficient(self) -> torch.Tensor:
        """Return b, (), of the epoch that runs."""
        done = (self.epochs_done / (self.epochs - 1)).clamp(max=1.0)
        if self.shape == "cosine":
            done = (1 - torch.cos(math.pi * done)) / 2
        return self.start + (self.end - self.start) * done

    @torch.no_grad()
    def on_epoch_end(self) -> None:
        """Count the epoch."""
        self.epochs_done.add_(1.0)

    def extra_repr(self) -> str:
        """Show the options."""
        return f"{self.shape} from {self.start:g} to {self.end:g} over {self.epochs} epochs"
