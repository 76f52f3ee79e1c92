"""ResNet18 over features as an image of one channel."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.abs_encoder import AbsEncoder, used_exits
from espnet2_ext.mtl.encoder.conv_block import apply_norm, build_norm, frame_mask, mask_frames


class ResNet18(AbsEncoder):
    """Residual network of 18 layers with one exit: the mean over time and frequency.

    Source: He et al., "Deep Residual Learning for Image Recognition", 2016, table 1, without its layer of classes; one
    input channel, as in Jing et al., "Redundancy Reduction Twins Network", 2022 (11.18 M parameters with ten outputs).

    Args:
        input_size: Width D of the features.
        exits: Exits of the tasks: all None or 1.
        channels: Channels of each stage of two residual blocks; stages after the first halve time and frequency.
        norm: `batch` (the paper) or `group`.
        dropout: Dropout of the embedding (the paper has none).
    """

    def __init__(
        self,
        input_size: int,
        exits: Sequence[int | str | None],
        channels: Sequence[int] = (64, 128, 256, 512),
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if input_size < 1:
            raise ValueError(f"input_size {input_size}: features have at least one bin")
        if not channels:
            raise ValueError("channels: give the channels of one stage or more")
        self.exits = used_exits(exits, 1)
        self._width = channels[-1]
        self.conv = torch.nn.Conv2d(1, channels[0], 7, stride=2, padding=3, bias=False)
        self.norm = build_norm(norm, channels[0])
        self.pool = torch.nn.MaxPool2d(3, stride=2, padding=1)
        self.blocks = torch.nn.ModuleList([ResidualBlock(channels[0], channels[0], 1, norm) for _ in range(2)])
        for c_in, c_out in itertools.pairwise(channels):
            self.blocks += [ResidualBlock(c_in, c_out, 2, norm), ResidualBlock(c_out, c_out, 1, norm)]
        self.dropout = torch.nn.Dropout(dropout)
        for module in self.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def output_size(self, exit_number: int) -> int:
        """Width of the embedding; there is one exit."""
        used_exits([exit_number], 1)
        return self._width

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Tensor]:
        """Encode (B, T, D) features; see AbsEncoder."""
        x = self.conv(mask_frames(feats.unsqueeze(1), lengths))
        lengths = _halved(lengths)
        # Nothing is below 0 after the ReLU, so frames of zeros change no maximum.
        x = self.pool(mask_frames(torch.relu(apply_norm(self.norm, x, lengths)), lengths))
        lengths = _halved(lengths)
        for block in self.blocks:
            x, lengths = block(x, lengths)
        x = x.mean(dim=3)
        if lengths is None:
            x = x.mean(dim=2)
        else:
            x = (x * frame_mask(lengths, x.size(2)).unsqueeze(1)).sum(dim=2) / lengths.unsqueeze(1)
        return {1: self.dropout(x)}


class ResidualBlock(torch.nn.Module):
    """conv 3x3, norm, ReLU, conv 3x3, norm, added to the input, ReLU (He et al., 2016, figure 2).

    Where the shape changes, the input goes through a 1x1 convolution and a norm (their option B).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of both convolutions.
        stride: Stride of the first convolution, 1 or 2.
        norm: `batch` or `group`.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, norm: str) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = torch.nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = build_norm(norm, out_channels)
        self.conv2 = torch.nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = build_norm(norm, out_channels)
        self.shortcut = self.shortcut_norm = None
        if stride != 1 or in_channels != out_channels:
            self.shortcut = torch.nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
            self.shortcut_norm = build_norm(norm, out_channels)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(B, C, T, F) and valid frames (B,) -> (B, C', ceil(T / stride), ceil(F / stride)) and their valid frames.

        Frames past the length are set to zero before each convolution, as the zero padding of an utterance by itself.
        """
        x = mask_frames(x, lengths)
        after = lengths if self.stride == 1 else _halved(lengths)
        y = mask_frames(torch.relu(apply_norm(self.norm1, self.conv1(x), after)), after)
        y = apply_norm(self.norm2, self.conv2(y), after)
        if self.shortcut is not None:
            x = apply_norm(self.shortcut_norm, self.shortcut(x), after)
        return torch.relu(x + y), after


def _halved(lengths: Tensor | None) -> Tensor | None:
    """Valid frames after a stride of 2 with a padding of half the kernel: half of them, rounded up."""
    return None if lengths is None else torch.div(lengths + 1, 2, rounding_mode="floor")
