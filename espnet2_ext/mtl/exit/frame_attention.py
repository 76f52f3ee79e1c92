"""Self-attentive pooling over frames."""

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.abs_frame_encoder import Frames
from espnet2_ext.mtl.encoder.conv_block import frame_mask
from espnet2_ext.mtl.task_losses import at_least_float32


class FrameAttention(torch.nn.Module):
    """sum_t a_t h_t over the valid frames h_t, with a = softmax over t of w h_t; w is learnt.

    Source: the published code of Karas et al., "Self-Supervised Attention Networks and Uncertainty Loss Weighting for
    Multi-Task Emotion Recognition on Vocal Bursts", 2022; the paper does not say how frames become an embedding. Frames
    past the length have no weight, which the code gives them.

    Args:
        size: Width of the frames.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.score = torch.nn.Linear(size, 1, bias=False)

    def forward(self, frames: Frames) -> Tensor:
        """Frames (B, T, D) -> (B, D), float32 at least."""
        x = at_least_float32(frames.x)
        scores = at_least_float32(self.score(frames.x))
        if frames.lengths is not None:
            padding = ~frame_mask(frames.lengths, x.size(1)).unsqueeze(2)
            x, scores = x.masked_fill(padding, 0.0), scores.masked_fill(padding, float("-inf"))
        return (torch.softmax(scores, dim=1) * x).sum(dim=1)
