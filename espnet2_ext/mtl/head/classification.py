"""Head of a classification task."""

import torch
from torch import Tensor

from espnet2_ext.mtl.head.abs_head import AbsHead


class ClassificationHead(AbsHead):
    """Linear output layer; softmax for reports."""

    def forward(self, embedding: Tensor) -> Tensor:
        """(B, input_size) -> logits (B, C)."""
        return self.layers(embedding)

    def report(self, output: Tensor) -> Tensor:
        """Logits (B, C) -> probabilities (B, C)."""
        return torch.softmax(output, dim=-1)
