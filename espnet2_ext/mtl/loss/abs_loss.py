"""Interface of a task loss."""

from abc import ABC, abstractmethod

import torch


class AbsLoss(torch.nn.Module, ABC):
    """Loss of one task: one value per target dimension, missing labels masked."""

    @abstractmethod
    def forward(self, prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Compare predictions with labels.

        Args:
            prediction: (B, D) values of a regression task, (B, C) logits of a classification task.
            target: (B, D) values, (B,) int64 class indices, or (B, C) probabilities of the classes.
            mask: True where there is a label: (B, D) or (B,). None: wherever the target is not NaN, or is not -1.

        Returns:
            (D,) losses, or (1,) for classification. 0 with zero gradient for a dimension without a label.
        """
