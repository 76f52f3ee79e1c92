"""Concordance correlation coefficient as a loss."""

import torch

from espnet2_ext.mtl.loss.abs_loss import AbsLoss
from espnet2_ext.mtl.loss.masking import full_precision, masked_mean, masked_pair

# Rounding leaves a constant column with a spread of about one unit in the last place of its mean.
_ROUNDING_UNITS = 8.0


def ccc_loss(pred: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """1 - CCC of each dimension over the batch (Lin 1989), all dimensions at once.

    CCC = 2 cov / (var_x + var_y + (mean_x - mean_y)^2) with population moments (divided by n) throughout: mixing n
    and n - 1, as some published codes do, caps a perfect batch of 8 at .875. The moments are centred first and
    taken in float32 or better, also under mixed precision.

    Where prediction and label are one and the same constant (a single label included) the quotient is 0 / 0: CCC is
    0 there by definition, the loss 1, its gradient 0. A constant prediction of labels that vary has CCC 0 and a
    finite gradient that moves it; constant labels give CCC 0 and gradient 0.

    Args:
        pred: (B, D) predictions.
        target: (B, D) labels in the unit of the predictions.
        mask: (B, D) bool, True where there is a label. None: wherever the target is not NaN.

    Returns:
        (D,) losses in [0, 2]; 0 with zero gradient for a dimension without a label.

    Raises:
        ValueError: The shapes differ.
    """
    with full_precision(pred):
        x, y, mask = masked_pair(pred, target, mask)
        mean_x, mean_y = masked_mean(x, mask), masked_mean(y, mask)
        centred_x = torch.where(mask, x - mean_x, 0.0)
        centred_y = torch.where(mask, y - mean_y, 0.0)
        covariance = masked_mean(centred_x * centred_y, mask)
        variances = masked_mean(centred_x.square() + centred_y.square(), mask)
        denominator = variances + (mean_x - mean_y).square()
        rounding = (_ROUNDING_UNITS * torch.finfo(x.dtype).eps) ** 2 * (mean_x.square() + mean_y.square())
        defined = denominator > rounding.detach()
        ccc = torch.where(defined, 2 * covariance, 0.0) / torch.where(defined, denominator, 1.0)
        return torch.where(mask.any(0), 1 - ccc, 0.0)


class CCCLoss(AbsLoss):
    """1 - CCC of each dimension; see `ccc_loss`."""

    def forward(self, prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return `ccc_loss(prediction, target, mask)`, (D,)."""
        return ccc_loss(prediction, target, mask)
