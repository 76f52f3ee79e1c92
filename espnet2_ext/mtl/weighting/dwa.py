"""Dynamic weight average (DWA)."""

from collections.abc import Mapping, Sequence

import torch

from espnet2_ext.mtl.weighting.abs_weighting import AbsWeighting, weighted_sum
from espnet2_ext.mtl.weighting.loss_history import LossHistory


class DynamicWeightAverage(AbsWeighting):
    """sum_k lambda_k(t) L_k with lambda_k(t) = K softmax(L_k(t-1) / L_k(t-2) / T) (Liu et al. 2019, equation 7).

    A task whose loss falls more slowly than the others' gets more weight. Losses should be >= 0: a quotient over a
    loss that is not counts as 1. t is an epoch in the method's source, where L is the mean over the epoch, and an
    iteration in Song et al. 2022 and Karas et al. 2022, where L is that of one batch and the quotient mostly noise.
    The history is of unweighted training losses and moves only while training.

    Args:
        task_names: The K tasks.
        temperature: T > 0: 10 as in Song et al. 2022; the method's source uses 2.
        step: What t counts: `epoch` or `iteration`.

    Raises:
        UserError: An option is out of its range.
    """

    def __init__(self, task_names: Sequence[str], temperature: float = 10.0, step: str = "epoch") -> None:
        super().__init__(task_names)
        self.history = LossHistory(self.task_names, temperature, step)

    def combine(
        self,
        losses: torch.Tensor,
        present: torch.Tensor | None,  # noqa: ARG002 (absent tasks change no weight here)
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Weigh the losses (K,); see `AbsWeighting.combine`."""
        weights = self.history.weights()
        return weighted_sum(weights, losses), weights

    def on_step(self, losses: torch.Tensor, present: torch.Tensor | None) -> None:
        """Hand the losses (K,) to the history."""
        self.history.on_step(losses, present)

    def on_epoch_end(self, mean_losses: Mapping[str, float]) -> None:
        """Hand the epoch's mean losses to the history."""
        self.history.on_epoch_end(mean_losses)

    def stats(self) -> dict[str, torch.Tensor]:
        """Return `lambda_<task>`."""
        return self.history.stats()
