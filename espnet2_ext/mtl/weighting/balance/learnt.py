"""A balance that is learnt and cannot collapse."""

import math

import torch
from torch.nn import functional

from espnet2_ext.mtl.option_values import finite_number
from espnet2_ext.mtl.weighting.balance.abs_balance import AbsBalance


class LearntBalance(AbsBalance):
    """b = sigmoid(rho), where rho makes both weightings' parts of the weighted loss alike, restrained to b = 1/2.

    Descent on the total itself would drive b to 0 or 1: it is linear in b. So b has no gradient from there, and the
    network and alpha have none from b's own term. With D = sum_k lambda_k L_k and U = sum_k alpha_k^-2 L_k, of the
    batch and without gradient, the parts are b D and (1 - b) U, and

        J(rho) = log cosh((rho - rho_0) / 2) + prior log cosh(rho / 2),  rho_0 = log(U / D).

    The first summand is log of the parts' arithmetic over their geometric mean: up to a constant what uncertainty
    weighting (Kendall et al. 2018) of the two parts leaves of it when their common scale is at its minimum. It is 0
    where the parts are equal. The second is -1/2 log(4 b (1 - b)), a symmetric Beta prior, 0 at 1/2. J >= 0 is strictly
    convex in rho, and

        dJ/drho = tanh((rho - rho_0) / 2) / 2 + prior (b - 1/2).

    With t_0 = (U - D) / (U + D) in (-1, 1) its only minimum is at

        b = 1/2 + t_0 / (1 + prior + sqrt((1 + prior)^2 - 4 prior t_0^2)).

    Since |tanh| < 1, descent leads back wherever |b - 1/2| >= 1 / (2 prior), whatever the losses: for prior > 1, b
    stays away from 0 and 1, in (.1, .9) for the default. Losses must be >= 0; a batch in which D or U is not positive,
    such as one without labels, moves nothing.

    Args:
        prior: Strength of the restraint, > 1.

    Raises:
        UserError: The prior is out of its range.
    """

    def __init__(self, prior: float = 1.25) -> None:
        super().__init__()
        self.prior = finite_number("balance: prior", prior, above=1.0)
        self.logit = torch.nn.Parameter(torch.zeros(()))
        self.logit._no_weight_decay = True  # read by ESPnet's optimizer groups

    def coefficient(self) -> torch.Tensor:
        """Return b, ()."""
        return torch.sigmoid(self.logit.detach())

    def term(self, dwa: torch.Tensor, rruw: torch.Tensor) -> torch.Tensor:
        """Return J, (), with gradient for rho alone; 0 where a part is not positive.

        Args:
            dwa: D = sum_k lambda_k L_k, (), without gradient.
            rruw: U = sum_k alpha_k^-2 L_k, (), without gradient.
        """
        optimum = torch.log(rruw) - torch.log(dwa)
        usable = (dwa > 0) & (rruw > 0) & optimum.isfinite()
        inequality = _log_cosh_half(self.logit - torch.where(usable, optimum, 0.0))
        return torch.where(usable, inequality + self.prior * _log_cosh_half(self.logit), 0.0)

    def extra_repr(self) -> str:
        """Show the options."""
        return f"prior={self.prior:g}"


def _log_cosh_half(x: torch.Tensor) -> torch.Tensor:
    """Return log cosh(x / 2), where cosh itself may overflow."""
    return functional.softplus(x) - 0.5 * x - math.log(2.0)
