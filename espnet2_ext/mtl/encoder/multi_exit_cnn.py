"""Multi-exit CNN: any task leaves after any block."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.abs_encoder import used_exits
from espnet2_ext.mtl.encoder.abs_frame_encoder import AbsFrameEncoder, Frames
from espnet2_ext.mtl.encoder.conv_block import ConvBlock
from espnet2_ext.mtl.encoder.statistics_pooling import StatisticsPoolingExit


class MultiExitCNN(AbsFrameEncoder):
    """Blocks of two 3x3 convolutions and 2x2 average pooling, with a statistics-pooling exit where a task leaves.

    Source: Song et al., "Dynamic Restrained Uncertainty Weighting Loss for Multitask Learning of Vocal Expression",
    2022, section 3.1: five blocks, age leaves after block 1, country after 3, emotion after 5. Tasks with the same exit
    share it; each has its own output layer. Frames of a layer are the means over frequency of a block's output, at half
    the rate of the block before.

    Args:
        input_size: Width D of the features.
        exits: Exit of each task, from 1, or `learnt`, which takes all; None is the last block.
        channels: Channels of each block.
        norm: `batch` (the paper) or `group`.
        dropout: Dropout in the exits (the paper has none).
    """

    one_rate = False

    def __init__(
        self,
        input_size: int,
        exits: Sequence[int | str | None],
        channels: Sequence[int] = (64, 128, 256, 512, 1024),
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if input_size < 1:
            raise ValueError(f"input_size {input_size}: features have at least one bin")
        self.exits = used_exits(exits, len(channels))
        self._channels = tuple(channels)
        widths = (1, *channels)[: max(self.exits) + 1]
        self.blocks = torch.nn.ModuleList(
            ConvBlock(c_in, c_out, norm=norm) for c_in, c_out in itertools.pairwise(widths)
        )
        self.exit_layers = torch.nn.ModuleDict(
            {str(number): StatisticsPoolingExit(channels[number - 1], dropout) for number in self.exits}
        )

    def output_size(self, exit_number: int) -> int:
        """Width of the embedding that leaves at `exit_number`."""
        return self._channels[exit_number - 1]

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Tensor]:
        """Encode (B, T, D) features; see AbsEncoder."""
        maps = self._maps(feats, lengths)
        return {number: self.exit_layers[str(number)](x, valid) for number, (x, valid) in maps.items()}

    def frame_size(self, layer: int) -> int:
        """Width of a block's frames; there is no layer 0."""
        used_exits([layer], len(self._channels))
        return self.output_size(layer)

    def frames(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Frames]:
        """Encode (B, T, D) features; see AbsFrameEncoder."""
        maps = self._maps(feats, lengths)
        return {number: Frames(x.mean(dim=3).transpose(1, 2), valid) for number, (x, valid) in maps.items()}

    def drop_pooling(self) -> None:
        """Drop the exits' layers."""
        self.exit_layers = torch.nn.ModuleDict()

    def _maps(self, feats: Tensor, lengths: Tensor | None) -> dict[int, tuple[Tensor, Tensor | None]]:
        """(B, T, D) -> (B, C, T', F') and valid frames, by exit."""
        x = feats.unsqueeze(1)
        maps = {}
        for number, block in enumerate(self.blocks, 1):
            x, lengths = block(x, lengths)
            if number in self.exits:
                maps[number] = (x, lengths)
        return maps
