"""Statistics of training steps, kept in one tensor on the device."""

from collections.abc import Mapping

import torch
from torch import Tensor


class StepStats:
    """Sums the statistics of steps without touching the host, and hands over means when asked.

    ESPnet's reporter reads every value of every step, which costs more than a step of a small network.
    A value that is not finite (a task without a label in the batch) is left out of its mean.

    Args:
        device: Where the statistics are made.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = device
        self.names: tuple[str, ...] = ()
        self._sums = self._counts = torch.zeros(0, dtype=torch.float64, device=device)
        self._epoch_sums = self._epoch_counts = torch.zeros(0, dtype=torch.float64)

    def add(self, stats: Mapping[str, Tensor]) -> None:
        """Add one step's scalars; every step has the same names.

        Raises:
            ValueError: The names differ from those of the first step.
        """
        if not self.names:
            self.names = tuple(stats)
            self._sums = torch.zeros(len(stats), dtype=torch.float64, device=self.device)
            self._counts = torch.zeros_like(self._sums)
            self._epoch_sums, self._epoch_counts = self._sums.cpu().clone(), self._counts.cpu().clone()
        elif tuple(stats) != self.names:
            raise ValueError(f"statistics {tuple(stats)} differ from the first step's {self.names}")
        values = torch.stack([v if v.dim() == 0 else v.reshape(()) for v in stats.values()]).double()
        finite = values.isfinite()
        self._sums += torch.where(finite, values, 0.0)
        self._counts += finite

    def interval(self) -> dict[str, tuple[float, float]]:
        """Return (mean, number of steps it is of) by name since the last call, and start anew; mean is NaN for none."""
        sums, counts = torch.stack([self._sums, self._counts]).cpu()
        self._epoch_sums += sums
        self._epoch_counts += counts
        self._sums.zero_()
        self._counts.zero_()
        return {n: (m, c) for n, m, c in zip(self.names, (sums / counts).tolist(), counts.tolist(), strict=True)}

    def epoch_means(self) -> dict[str, float]:
        """Means over all steps that `interval` has handed over; NaN for a value that was never finite."""
        return dict(zip(self.names, (self._epoch_sums / self._epoch_counts).tolist(), strict=True))
