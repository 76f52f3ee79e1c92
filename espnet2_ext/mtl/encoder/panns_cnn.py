"""CNN10 and CNN14 of PANNs: plain trunks that all tasks share."""

from collections.abc import Sequence

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.abs_encoder import AbsEncoder, used_exits
from espnet2_ext.mtl.encoder.conv_block import ConvBlock
from espnet2_ext.mtl.encoder.statistics_pooling import StatisticsPoolingExit


class PannsCNN(AbsEncoder):
    """VGG-like network with one exit after the last block.

    Source: Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern Recognition", 2020,
    without its front end (features come from arks) and its classification layer. Batch normalisation over the bins
    comes first.

    Args:
        input_size: Width D of the features.
        exits: Exits of the tasks: all None or 1.
        channels: Channels of each block.
        norm: `batch` or `group` in the blocks.
        block_dropout: Dropout after each block.
        dropout: Dropout around the embedding layer.
        pool_last: Whether the last block pools too.
    """

    def __init__(
        self,
        input_size: int,
        exits: Sequence[int | str | None],
        channels: Sequence[int],
        norm: str = "batch",
        block_dropout: float = 0.2,
        dropout: float = 0.5,
        pool_last: bool = True,
    ) -> None:
        super().__init__()
        self.exits = used_exits(exits, 1)
        self._width = channels[-1]
        self.bin_norm = torch.nn.BatchNorm1d(input_size)
        widths = (1, *channels)
        pools = [(2, 2)] * (len(channels) - 1) + [(2, 2) if pool_last else (1, 1)]
        self.blocks = torch.nn.ModuleList(
            ConvBlock(c_in, c_out, pool, norm) for c_in, c_out, pool in zip(widths, channels, pools, strict=False)
        )
        self.block_dropout = torch.nn.Dropout(block_dropout)
        self.exit_layer = StatisticsPoolingExit(channels[-1], dropout)

    def output_size(self, exit_number: int) -> int:
        """Width of the embedding; there is one exit."""
        used_exits([exit_number], 1)
        return self._width

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Tensor]:
        """Encode (B, T, D) features; see AbsEncoder."""
        x = self.bin_norm(feats.transpose(1, 2)).transpose(1, 2).unsqueeze(1)
        for block in self.blocks:
            x, lengths = block(x, lengths)
            x = self.block_dropout(x)
        return {1: self.exit_layer(x, lengths)}


class CNN10(PannsCNN):
    """CNN10: four blocks, 64 to 512 channels, 4.95 M parameters with a 512-wide embedding."""

    def __init__(
        self,
        input_size: int,
        exits: Sequence[int | str | None],
        channels: Sequence[int] = (64, 128, 256, 512),
        norm: str = "batch",
        block_dropout: float = 0.2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(input_size, exits, channels, norm, block_dropout, dropout)


class CNN14(PannsCNN):
    """CNN14: six blocks, 64 to 2048 channels, 79.7 M parameters; the last block does not pool."""

    def __init__(
        self,
        input_size: int,
        exits: Sequence[int | str | None],
        channels: Sequence[int] = (64, 128, 256, 512, 1024, 2048),
        norm: str = "batch",
        block_dropout: float = 0.2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(input_size, exits, channels, norm, block_dropout, dropout, pool_last=False)
