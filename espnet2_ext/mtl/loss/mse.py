"""Mean squared error."""

import torch

from espnet2_ext.mtl.loss.abs_loss import AbsLoss
from espnet2_ext.mtl.loss.masking import full_precision, masked_mean, masked_pair


def mse_loss(pred: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Mean squared error of each dimension over the labelled rows, in float32 or better.

    Args:
        pred: (B, D) predictions.
        target: (B, D) labels in the unit of the predictions.
        mask: (B, D) bool, True where there is a label. None: wherever the target is not NaN.

    Returns:
        (D,) losses >= 0 in the square of that unit; 0 with zero gradient for a dimension without a label.

    Raises:
        ValueError: The shapes differ.
    """
    with full_precision(pred):
        x, y, mask = masked_pair(pred, target, mask)
        return masked_mean((x - y).square(), mask)


class MSELoss(AbsLoss):
    """Mean squared error of each dimension; see `mse_loss`."""

    def forward(self, prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return `mse_loss(prediction, target, mask)`, (D,)."""
        return mse_loss(prediction, target, mask)
