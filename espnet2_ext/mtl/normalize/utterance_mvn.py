"""Mean and variance normalisation of each utterance by itself."""

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.conv_block import frame_mask


class UtteranceMVN(torch.nn.Module):
    """(x - mean) / std over the valid frames of each utterance (of each crop, where crops are taken).

    Args:
        input_size: Width D of the features.
        norm_vars: Whether to divide by the standard deviation.
        eps: Smallest standard deviation.
    """

    def __init__(self, input_size: int, norm_vars: bool = True, eps: float = 1e-5) -> None:
        super().__init__()
        self.input_size, self.norm_vars, self.eps = input_size, norm_vars, eps

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, T, D), valid frames (B,) -> (B, T, D)."""
        if lengths is None:
            mask = feats.new_ones(feats.shape[:2]).unsqueeze(2)
        else:
            mask = frame_mask(lengths, feats.size(1)).unsqueeze(2).to(feats.dtype)
        count = mask.sum(dim=1, keepdim=True)
        feats = (feats - (feats * mask).sum(dim=1, keepdim=True) / count) * mask
        if not self.norm_vars:
            return feats
        variance = feats.square().sum(dim=1, keepdim=True) / count
        return feats / variance.clamp(min=self.eps**2).sqrt()
