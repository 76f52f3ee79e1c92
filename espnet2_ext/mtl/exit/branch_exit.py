"""A task's own path along the layers of the encoder."""

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.abs_frame_encoder import Frames, mean_frames
from espnet2_ext.mtl.encoder.conv_block import frame_mask
from espnet2_ext.mtl.exit.abs_exit import AbsExit
from espnet2_ext.mtl.task_losses import at_least_float32


class AttentionBlock(torch.nn.Module):
    """x, h -> GELU(LayerNorm(x + attention(query h, key x, value x))).

    Args:
        size: Width of x and h.
        n_heads: Heads of the attention.
        dropout: Probability of dropout of the attention's weights.
    """

    def __init__(self, size: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(size, n_heads, dropout, batch_first=True)
        self.norm = torch.nn.LayerNorm(size)

    def forward(self, x: Tensor, hidden: Tensor, padding: Tensor | None) -> Tensor:
        """Output of the block before and next hidden state (B, T, size), (B, T) bool -> (B, T, size).

        Without weights to return, torch takes its scaled dot product attention.
        """
        attended, _ = self.attention(hidden, x, x, key_padding_mask=padding, need_weights=False)
        return torch.nn.functional.gelu(self.norm(x + attended))


class BranchExit(AbsExit):
    """Blocks of attention, one for each layer after the first of a list, then the mean over the valid frames.

    Source: Karas et al., "Self-Supervised Attention Networks and Uncertainty Loss Weighting for Multi-Task Emotion
    Recognition on Vocal Bursts", 2022, section II-C: the outputs of each block are key and value of the next, the
    encoder's hidden states its queries. Residual (the output before, not the query), normalisation and activation are
    those of the published code. Frames past the length are no keys, and not in the mean; the code has no such mask.

    Args:
        layers: The layers, ascending.
        size: Width of their projected frames, and of the embedding.
        n_heads: See `AttentionBlock`.
        dropout: See `AttentionBlock`.
    """

    def __init__(self, layers: Sequence[int], size: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.layers, self.output_size = tuple(layers), size
        self.blocks = torch.nn.ModuleList(
            AttentionBlock(size, n_heads, dropout) for _ in itertools.pairwise(self.layers)
        )

    def forward(self, encoded: Mapping[int, Frames]) -> Tensor:
        """Projected frames by layer, as `LayerProjections` gives them -> (B, output_size), float32 at least."""
        x, lengths = encoded[self.layers[0]]
        padding = None if lengths is None else ~frame_mask(lengths, x.size(1))
        for layer, block in zip(self.layers[1:], self.blocks, strict=True):
            x = block(x, encoded[layer].x, padding)
        return mean_frames(at_least_float32(x), lengths)
