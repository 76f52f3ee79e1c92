"""Dynamic restrained uncertainty weighting (DRUW)."""

from collections.abc import Mapping, Sequence

import torch

from espnet2_ext.mtl.weighting.loss_history import LossHistory
from espnet2_ext.mtl.weighting.rruw import RestrainedUncertaintyWeighting


class DynamicRestrainedUncertaintyWeighting(RestrainedUncertaintyWeighting):
    """sum_k (lambda_k(t) + alpha_k^-2) L_k + R(alpha_k) + c |phi - sum_k |log alpha_k|| (Song et al. 2022, equation 5).

    DWA and RRUW in one: lambda is that of `DynamicWeightAverage`, all else that of `RestrainedUncertaintyWeighting`.

    Args:
        task_names: The K tasks.
        temperature: See `DynamicWeightAverage`.
        step: See `DynamicWeightAverage`.
        restraint: See `RestrainedUncertaintyWeighting`.
        phi: See `RestrainedUncertaintyWeighting`.
        restraint_coefficient: See `RestrainedUncertaintyWeighting`.
        regulariser: See `RevisedUncertaintyWeighting`.
        form: See `UncertaintyWeighting`; 1/K scales alpha^-2 only, not lambda.
        initial_alpha: See `UncertaintyWeighting`.

    Raises:
        UserError: An option is out of its range.
    """

    def __init__(
        self,
        task_names: Sequence[str],
        temperature: float = 10.0,
        step: str = "epoch",
        restraint: str = "log_alpha",
        phi: float = 1.0,
        restraint_coefficient: float = 1.0,
        regulariser: str = "log1p_alpha2",
        form: str = "paper",
        initial_alpha: float | Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(task_names, restraint, phi, restraint_coefficient, regulariser, form, initial_alpha)
        self.history = LossHistory(self.task_names, temperature, step)

    def weights(self, s: torch.Tensor) -> torch.Tensor:
        """Return lambda + alpha^-2, (K,)."""
        return super().weights(s) + self.history.weights()

    def on_step(self, losses: torch.Tensor, present: torch.Tensor | None) -> None:
        """Hand the losses (K,) to the history."""
        self.history.on_step(losses, present)

    def on_epoch_end(self, mean_losses: Mapping[str, float]) -> None:
        """Hand the epoch's mean losses to the history."""
        self.history.on_epoch_end(mean_losses)

    def stats(self) -> dict[str, torch.Tensor]:
        """Return `alpha_<task>`, `lambda_<task>` and `restraint_sum`."""
        return {**super().stats(), **self.history.stats()}
