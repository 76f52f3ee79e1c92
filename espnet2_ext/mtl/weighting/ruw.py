"""Revised uncertainty weighting (RUW)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.option_values import one_of
from espnet2_ext.mtl.weighting.uw import UncertaintyWeighting


class RevisedUncertaintyWeighting(UncertaintyWeighting):
    """sum_k alpha_k^-2 L_k + R(alpha_k) (Liebel and Koerner 2018; Song et al. 2022, equation 2).

    Song et al. print R = log(1 + log alpha^2). That is a misprint: it falls to minus infinity as alpha^2 -> 1/e and is
    undefined below, while the source it cites has log(1 + alpha^2), which is positive everywhere and bounds the total
    below by 0 for losses >= 0. So has the authors' code.

    Args:
        task_names: The K tasks.
        regulariser: `log1p_alpha2`: log(1 + alpha^2). `printed`: log(1 + log alpha^2) with alpha kept >= 1, where it is
            bounded below: a step that would lead below 1 is projected back onto it.
        form: See `UncertaintyWeighting`.
        initial_alpha: See `UncertaintyWeighting`; at least 1 for `printed`.

    Raises:
        UserError: An option is out of its range.
    """

    below_zero = False

    def __init__(
        self,
        task_names: Sequence[str],
        regulariser: str = "log1p_alpha2",
        form: str = "paper",
        initial_alpha: float | Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(task_names, form, initial_alpha)
        self.regulariser = one_of("regulariser", regulariser, ("log1p_alpha2", "printed"))
        if regulariser == "printed" and min(self.initial_alpha) < 1.0:
            lowest = min(self.initial_alpha)
            raise UserError(f"regulariser printed: alpha must start at 1 or above, not {lowest:g}; set initial_alpha")

    def log_variance(self) -> torch.Tensor:
        """Return s = log alpha^2 (K,), at least 0 for `printed`."""
        return self.log_alpha2 if self.regulariser == "log1p_alpha2" else _AtLeastZero.apply(self.log_alpha2)

    def regulariser_terms(self, s: torch.Tensor) -> torch.Tensor:
        """Return log(1 + alpha^2), or log(1 + log alpha^2), (K,)."""
        return functional.softplus(s) if self.regulariser == "log1p_alpha2" else torch.log1p(s)

    def extra_repr(self) -> str:
        """Show the options."""
        return f"regulariser={self.regulariser}, {super().extra_repr()}"


class _AtLeastZero(torch.autograd.Function):
    """max(x, 0) whose gradient lets x come back from below: blocked only where descent would lead further down."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0.0)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return torch.where((x <= 0) & (grad > 0), 0.0, grad)
