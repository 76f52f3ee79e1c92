"""Restrained uncertainty weight loss (RUWL)."""

from collections.abc import Mapping, Sequence

import torch

from espnet2_ext.mtl.option_values import finite_number
from espnet2_ext.mtl.weighting.rruw import RestrainedUncertaintyWeighting
from espnet2_ext.mtl.weighting.task_state import values_by_task


class RestrainedUncertaintyWeightLoss(RestrainedUncertaintyWeighting):
    """sum_k lambda_k / c_k^2 L_k + log(1 + c_k^2) + |phi - sum_k |c_k||.

    Jing et al. 2022 (redundancy reduction twins network), equations 5 and 6.
    The paper prints 1 / (lambda_k c_k^2) with lambda 1e-8 for a loss that is thousands of times too large; that would
    enlarge it further. It must be lambda_k / c_k^2, which is built here. Its settings are lambda 1, 1, 1e-8 and c from
    1, 1, .01 for the CCC losses of both views and the Barlow Twins loss, phi 2.

    Args:
        task_names: The K losses.
        scales: lambda > 0, for all or by name (1 for those not named).
        initial_alpha: First c > 0, for all or by name (1 for those not named). None: 1.
        phi: What the sum of |c| is led towards, > 0.
        restraint_coefficient: Factor of the restraint, > 0; the paper has 1.

    Raises:
        UserError: An option is out of its range.
    """

    def __init__(
        self,
        task_names: Sequence[str],
        scales: float | Mapping[str, float] = 1.0,
        initial_alpha: float | Mapping[str, float] | None = None,
        phi: float = 2.0,
        restraint_coefficient: float = 1.0,
    ) -> None:
        super().__init__(
            task_names,
            restraint="alpha",
            phi=phi,
            restraint_coefficient=restraint_coefficient,
            initial_alpha=initial_alpha,
        )
        values = values_by_task("scales", scales, self.task_names, default=1.0)
        values = [finite_number("scales", value, above=0.0) for value in values]
        # They are configuration: a checkpoint must not overrule a changed one.
        self.register_buffer("scale", torch.tensor(values, dtype=torch.float32), persistent=False)

    def weights(self, s: torch.Tensor) -> torch.Tensor:
        """Return lambda / c^2, (K,)."""
        return self.scale * torch.exp(-s)
