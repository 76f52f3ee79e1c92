"""Mean absolute error."""

import torch

from espnet2_ext.mtl.loss.abs_loss import AbsLoss
from espnet2_ext.mtl.loss.masking import full_precision, masked_mean, masked_pair


def l1_loss(pred: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Mean absolute error of each dimension over the labelled rows, in float32 or better.

    Args:
        pred: (B, D) predictions.
        target: (B, D) labels in the unit of the predictions.
        mask: (B, D) bool, True where there is a label. None: wherever the target is not NaN.

    Returns:
        (D,) losses >= 0 in that unit; 0 with zero gradient for a dimension without a label.

    Raises:
        ValueError: The shapes differ.
    """
    with full_precision(pred):
        x, y, mask = masked_pair(pred, target, mask)
        return masked_mean((x - y).abs(), mask)


class L1Loss(AbsLoss):
    """Mean absolute error of each dimension; see `l1_loss`."""

    def forward(self, prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return `l1_loss(prediction, target, mask)`, (D,)."""
        return l1_loss(prediction, target, mask)
