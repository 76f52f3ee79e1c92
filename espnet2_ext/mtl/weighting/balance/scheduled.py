"""A balance that goes from one value to another."""

import torch

from espnet2_ext.mtl.schedule import Schedule
from espnet2_ext.mtl.weighting.balance.abs_balance import AbsBalance


class ScheduledBalance(AbsBalance):
    """b goes by epochs; see `Schedule`. What is saved is the number of epochs that are over.

    Args:
        start: b in the first epoch, in [0, 1].
        end: b from epoch `epochs` on, in [0, 1].
        epochs: See `Schedule`.
        shape: See `Schedule`.

    Raises:
        UserError: An option is out of its range.
    """

    def __init__(self, start: float, end: float, epochs: int, shape: str = "linear") -> None:
        super().__init__()
        self.schedule = Schedule("balance", start, end, epochs, shape)
        self.register_buffer("epochs_done", torch.zeros(()))  # float: averaging checkpoints adds up integers

    def coefficient(self) -> torch.Tensor:
        """Return b, (), of the epoch that runs."""
        return self.schedule.value(self.epochs_done)

    @torch.no_grad()
    def on_epoch_end(self) -> None:
        """Count the epoch."""
        self.epochs_done.add_(1.0)

    def extra_repr(self) -> str:
        """Show the options."""
        return repr(self.schedule)
