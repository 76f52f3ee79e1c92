"""Layers brought to one width."""

from collections.abc import Mapping

import torch

from espnet2_ext.mtl.encoder.abs_frame_encoder import Frames


class LayerProjections(torch.nn.Module):
    """dropout(GELU(W_i h + b_i)) of the frames h of each layer i.

    Args:
        sizes: Width of the frames, by layer.
        size: Common width.
        dropout: Probability of dropout.
    """

    def __init__(self, sizes: Mapping[int, int], size: int, dropout: float) -> None:
        super().__init__()
        self.layers = tuple(sizes)
        self.projections = torch.nn.ModuleList(
            torch.nn.Sequential(torch.nn.Linear(width, size), torch.nn.GELU(), torch.nn.Dropout(dropout))
            for width in sizes.values()
        )

    def forward(self, encoded: Mapping[int, Frames]) -> dict[int, Frames]:
        """Frames (B, T, D_i) by layer -> (B, T, size) by layer; those of other layers are left out."""
        pairs = zip(self.layers, self.projections, strict=True)
        return {layer: Frames(project(encoded[layer].x), encoded[layer].lengths) for layer, project in pairs}
