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

    def fed_on(self, output: Tensor) -> Tensor:
        """Logits (B, C) -> probabilities (B, C)."""
        return torch.softmax(output, dim=-1)

    def truth(self, target: Tensor) -> Tensor:
        """Classes (B,), -1 where missing, or probabilities (B, C) -> (B, C): 1 for the class; NaN where missing."""
        if target.is_floating_point():
            return target
        one_hot = torch.nn.functional.one_hot(target.clamp(min=0), self.n_outputs)
        return torch.where((target >= 0).unsqueeze(1), one_hot.to(torch.get_default_dtype()), torch.nan)
