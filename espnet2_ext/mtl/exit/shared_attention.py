"""Attention over frames that tasks share."""

from collections.abc import Mapping

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.abs_frame_encoder import Frames
from espnet2_ext.mtl.exit.frame_attention import FrameAttention


class SharedAttention(torch.nn.Module):
    """An attention for each layer that a task leaves at.

    Args:
        sizes: Width of the frames, by layer.
    """

    def __init__(self, sizes: Mapping[int, int]) -> None:
        super().__init__()
        self.numbers = tuple(sizes)
        self.attentions = torch.nn.ModuleList(FrameAttention(size) for size in sizes.values())

    def forward(self, encoded: Mapping[int, Frames]) -> dict[int, Tensor]:
        """Frames by layer -> embeddings (B, D) by exit."""
        pairs = zip(self.numbers, self.attentions, strict=True)
        return {number: attention(encoded[number]) for number, attention in pairs}
