"""Uncertainty weighting (UW)."""

import math
from collections.abc import Mapping, Sequence

import torch

from espnet2_ext.mtl.option_values import finite_number, one_of
from espnet2_ext.mtl.weighting.abs_weighting import AbsWeighting, weighted_sum
from espnet2_ext.mtl.weighting.task_state import values_by_task


class UncertaintyWeighting(AbsWeighting):
    """sum_k alpha_k^-2 L_k + log alpha_k (Kendall et al. 2018, in the form of Song et al. 2022, equation 1).

    One form for all tasks, as these papers print it. Kendall et al. have 1 / (2 alpha^2) for regression and 1 / alpha^2
    for classification; a factor 1/2 on a loss does no more than move the optimal alpha^2 from 2 L to L.

    The learnt parameter is s = log alpha^2, so alpha can neither reach 0 nor change its sign (every formula is even in
    alpha). The optimum is that of the formula in alpha; the path of gradient descent towards it is not the same.
    The total falls below zero as soon as alpha < 1, which is right: never select models by it. For a loss that
    goes to 0 the optimal weight 1 / (2 L) grows without bound.

    Args:
        task_names: The K tasks.
        form: `paper`: weights alpha^-2. `released`: 1 / (K alpha^2) as in the code the authors published.
        initial_alpha: First alpha > 0, for all tasks or by task name (1 for tasks not named). None: 1, or 1/K in the
            released form. Log-variances from -0.33, as in the challenge's baseline, are an alpha of .848.

    Raises:
        UserError: An option is out of its range.
    """

    below_zero = True

    def __init__(
        self,
        task_names: Sequence[str],
        form: str = "paper",
        initial_alpha: float | Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(task_names)
        count = len(self.task_names)
        self.form = one_of("form", form, ("paper", "released"))
        self.coefficient = 1.0 / count if form == "released" else 1.0
        if initial_alpha is None:
            initial_alpha = self.coefficient
        alphas = values_by_task("initial_alpha", initial_alpha, self.task_names, default=1.0)
        self.initial_alpha = [finite_number("initial_alpha", alpha, above=0.0) for alpha in alphas]
        self.add_task_parameter("log_alpha2", [2.0 * math.log(alpha) for alpha in self.initial_alpha])

    def combine(self, losses: torch.Tensor, present: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Weigh the losses (K,); see `AbsWeighting.combine`."""
        s = self.log_variance()
        weights = self.weights(s)
        total = weighted_sum(weights, losses)
        for penalty in self.penalties(s, present):
            total = total + penalty
        return total, weights

    def penalties(self, s: torch.Tensor, present: torch.Tensor | None) -> list[torch.Tensor]:
        """Return what the weighted losses are added to: the present tasks' regulariser, (), and a restraint, if any."""
        regulariser = self.regulariser_terms(s)
        if present is not None:
            regulariser = torch.where(present, regulariser, 0.0)
        restraint = self.restraint_term(s, present)
        return [regulariser.sum()] if restraint is None else [regulariser.sum(), restraint]

    def log_variance(self) -> torch.Tensor:
        """Return s = log alpha^2 (K,)."""
        return self.log_alpha2

    def weights(self, s: torch.Tensor) -> torch.Tensor:
        """Return the weights (K,) for s = log alpha^2."""
        weights = torch.exp(-s)
        return weights if self.coefficient == 1.0 else self.coefficient * weights

    def regulariser_terms(self, s: torch.Tensor) -> torch.Tensor:
        """Return log alpha (K,)."""
        return 0.5 * s

    def restraint_term(self, s: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor | None:  # noqa: ARG002
        """Return a term () of all tasks together; there is none here."""
        return None

    def stats(self) -> dict[str, torch.Tensor]:
        """Return `alpha_<task>`."""
        alphas = torch.exp(0.5 * self.log_variance().detach())
        return {f"alpha_{task}": alpha for task, alpha in self.by_task(alphas).items()}

    def extra_repr(self) -> str:
        """Show the options."""
        return f"form={self.form}, initial_alpha={self.initial_alpha}"
