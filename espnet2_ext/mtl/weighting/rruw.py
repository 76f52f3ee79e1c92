"""Restrained revised uncertainty weighting (RRUW)."""

from collections.abc import Mapping, Sequence

import torch

from espnet2_ext.mtl.option_values import finite_number, one_of
from espnet2_ext.mtl.weighting.ruw import RevisedUncertaintyWeighting


class RestrainedUncertaintyWeighting(RevisedUncertaintyWeighting):
    """RUW + c |phi - sum_k |log alpha_k|| (Song et al. 2022, equation 4).

    The authors' code restrains sum_k |alpha_k| instead: option `restraint`. The sum runs over all K tasks, with the
    alpha of a task that is absent from the batch held constant: phi is meant for all tasks together, and must not fall
    upon the few that happen to be present.

    Args:
        task_names: The K tasks.
        restraint: `log_alpha` as printed, or `alpha` as released.
        phi: What the sum is led towards, > 0.
        restraint_coefficient: c > 0.
        regulariser: See `RevisedUncertaintyWeighting`.
        form: See `UncertaintyWeighting`.
        initial_alpha: See `UncertaintyWeighting`.

    Raises:
        UserError: An option is out of its range.
    """

    def __init__(
        self,
        task_names: Sequence[str],
        restraint: str = "log_alpha",
        phi: float = 1.0,
        restraint_coefficient: float = 1.0,
        regulariser: str = "log1p_alpha2",
        form: str = "paper",
        initial_alpha: float | Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(task_names, regulariser, form, initial_alpha)
        self.restraint = one_of("restraint", restraint, ("log_alpha", "alpha"))
        self.phi = finite_number("phi", phi, above=0.0)
        self.restraint_coefficient = finite_number("restraint_coefficient", restraint_coefficient, above=0.0)

    def restraint_sum(self, s: torch.Tensor) -> torch.Tensor:
        """Return sum_k |log alpha_k| or sum_k |alpha_k|, ()."""
        return 0.5 * s.abs().sum() if self.restraint == "log_alpha" else torch.exp(0.5 * s).sum()

    def restraint_term(self, s: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor | None:
        """Return c |phi - sum|, (), with no gradient for absent tasks."""
        if present is not None:
            s = torch.where(present, s, s.detach())
        distance = (self.phi - self.restraint_sum(s)).abs()
        return distance if self.restraint_coefficient == 1.0 else self.restraint_coefficient * distance

    def stats(self) -> dict[str, torch.Tensor]:
        """Return `alpha_<task>` and `restraint_sum`, the sum that is led towards phi."""
        return {**super().stats(), "restraint_sum": self.restraint_sum(self.log_variance().detach())}

    def extra_repr(self) -> str:
        """Show the options."""
        own = f"restraint={self.restraint}, phi={self.phi:g}, restraint_coefficient={self.restraint_coefficient:g}"
        return f"{own}, {super().extra_repr()}"
