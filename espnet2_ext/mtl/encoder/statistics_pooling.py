"""The statistics-pooling exit of the multi-exit CNN and of PANNs."""

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.conv_block import frame_mask


class StatisticsPoolingExit(torch.nn.Module):
    """Mean over frequency, max + mean over time, linear layer of the same width, ReLU.

    Source: PANNs (Kong et al., 2020) and the system of Song et al. (2022).

    Args:
        channels: Channels of the feature map, and width of the embedding.
        dropout: Probability of dropout before and after the linear layer (PANNs: 0.5; Song et al.: none).
    """

    def __init__(self, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(channels, channels)
        self.dropout = torch.nn.Dropout(dropout)
        torch.nn.init.xavier_uniform_(self.linear.weight)
        torch.nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, C, T, F), valid frames (B,) -> (B, C)."""
        x = x.mean(dim=3)
        if lengths is None:
            x = x.amax(dim=2) + x.mean(dim=2)
        else:
            mask = frame_mask(lengths, x.size(2)).unsqueeze(1)
            mean = (x * mask).sum(dim=2) / lengths.unsqueeze(1)
            x = x.masked_fill(~mask, float("-inf")).amax(dim=2) + mean
        return self.dropout(torch.relu(self.linear(self.dropout(x))))
