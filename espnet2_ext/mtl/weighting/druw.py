"""Dynamic restrained uncertainty weighting (DRUW)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from espnet2_ext.mtl.weighting.abs_weighting import weighted_sum
from espnet2_ext.mtl.weighting.balance import LearntBalance, build_balance
from espnet2_ext.mtl.weighting.loss_history import LossHistory
from espnet2_ext.mtl.weighting.rruw import RestrainedUncertaintyWeighting


class DynamicRestrainedUncertaintyWeighting(RestrainedUncertaintyWeighting):
    """sum_k (lambda_k(t) + alpha_k^-2) L_k + R(alpha_k) + c |phi - sum_k |log alpha_k|| (Song et al. 2022, equation 5).

    DWA and RRUW in one: lambda is that of `DynamicWeightAverage`, all else that of `RestrainedUncertaintyWeighting`.

    Beyond the paper, which names the balance of the two as future work: the total is 2 (b T_DWA + (1 - b) T_RRUW) of
    both methods' totals, with weights 2 (b lambda_k + (1 - b) alpha_k^-2). b = 1/2 is equation 5 exactly. Since RRUW's
    regulariser and restraint are scaled with it, the alphas' optimum is that of RRUW for any b < 1, as in equation 5;
    with the weights alone scaled, alpha would fall where b rises, and undo the balance. At b = 1 the alphas stay.

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
        balance: b: a number in [0, 1]; or `kind: scheduled` (see `ScheduledBalance`) or `kind: learnt` (see
            `LearntBalance`) with its options.

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
        balance: float | Mapping[str, Any] = 0.5,
    ) -> None:
        super().__init__(task_names, restraint, phi, restraint_coefficient, regulariser, form, initial_alpha)
        self.history = LossHistory(self.task_names, temperature, step)
        self.balance = build_balance(balance)

    def combine(self, losses: torch.Tensor, present: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Weigh the losses (K,); see `AbsWeighting.combine`."""
        s = self.log_variance()
        dwa, rruw = self.history.weights(), self.weights(s)
        coefficient = self.balance.coefficient()
        dwa_factor, rruw_factor = 2 * coefficient, 2 * (1 - coefficient)
        weights = _times(rruw_factor, rruw) + _times(dwa_factor, dwa)
        total = weighted_sum(weights, losses)
        for penalty in self.penalties(s, present):
            total = total + _times(rruw_factor, penalty)
        if isinstance(self.balance, LearntBalance):
            fixed = losses.detach()
            total = total + self.balance.term(weighted_sum(dwa, fixed), weighted_sum(rruw.detach(), fixed))
        return total, weights

    def on_step(self, losses: torch.Tensor, present: torch.Tensor | None) -> None:
        """Hand the losses (K,) to the history."""
        self.history.on_step(losses, present)

    def on_epoch_end(self, mean_losses: Mapping[str, float]) -> None:
        """Hand the epoch's mean losses to the history."""
        self.history.on_epoch_end(mean_losses)
        self.balance.on_epoch_end()

    def stats(self) -> dict[str, torch.Tensor]:
        """Return `alpha_<task>`, `lambda_<task>`, `restraint_sum`, and `balance` where it is no fixed number."""
        balance = {"balance": self.balance.coefficient()} if self.balance.varies else {}
        return {**super().stats(), **self.history.stats(), **balance}


def _times(factor: float | torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return the product; a factor of 1 costs no kernel."""
    return value if isinstance(factor, float) and factor == 1.0 else factor * value
