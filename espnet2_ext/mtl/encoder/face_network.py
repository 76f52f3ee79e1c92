"""Residual network on pictures: the video part of `AudioVisual`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder.conv_block import build_norm

if TYPE_CHECKING:
    from torchvision.models.resnet import BasicBlock, Bottleneck

# Blocks of each stage (He et al., 2016, table 1), and whether they are bottlenecks.
_NETWORKS = {"resnet18": ((2, 2, 2, 2), False), "resnet50": ((3, 4, 6, 3), True)}
# Of the pictures that torchvision's weights were trained on, in [0, 1], red, green, blue.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FaceNetwork(torch.nn.Module):
    """ResNet up to its average pooling, one vector a picture; names of parameters are torchvision's.

    Source: He et al., "Deep Residual Learning for Image Recognition", 2016; blocks of torchvision, which has the stride
    of a bottleneck in its 3 x 3 convolution. Chae et al., 2018, take the one of 50 layers, on pictures of 96 x 96.

    Args:
        network: `resnet50` or `resnet18`.
        width: Channels of the first stage; torchvision's weights are for 64.
        size: Height and width of the pictures, pixels.
        norm: `batch` (the source), or `group`: no statistics over a batch.

    Attributes:
        output_size: Values of a picture: 2,048 for resnet50.

    Raises:
        ValueError: An option is impossible.
        UserError: torchvision is missing.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: str = "resnet50", width: int = 64, size: int = 96, norm: str = "batch") -> None:
        super().__init__()
        if network not in _NETWORKS:
            raise ValueError(f"network is {' or '.join(_NETWORKS)}, not {network!r}")
        if min(width, size) < 1:
            raise ValueError(f"width {width}, size {size}: give numbers from 1")
        block = _block(_NETWORKS[network][1])
        self.size = size
        self._channels = width
        self.conv1 = torch.nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = build_norm(norm, width)
        stages = [
            self._stage(block, width << number, count, 1 if number == 0 else 2, lambda c: build_norm(norm, c))
            for number, count in enumerate(_NETWORKS[network][0])
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.output_size = self._channels
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(_STD)[:, None, None], persistent=False)
        for module in self.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _stage(
        self,
        block: "type[BasicBlock | Bottleneck]",
        planes: int,
        count: int,
        stride: int,
        norm: Callable[[int], torch.nn.Module],
    ) -> torch.nn.Sequential:
        """Build `count` blocks; the first has the stride, and a convolution on its shortcut where it needs one."""
        outputs = planes * block.expansion
        shortcut = None
        if stride != 1 or self._channels != outputs:
            conv = torch.nn.Conv2d(self._channels, outputs, 1, stride=stride, bias=False)
            shortcut = torch.nn.Sequential(conv, norm(outputs))
        blocks = [block(self._channels, planes, stride, shortcut, norm_layer=norm)]
        blocks += [block(outputs, planes, norm_layer=norm) for _ in range(count - 1)]
        self._channels = outputs
        return torch.nn.Sequential(*blocks)

    def forward(self, pictures: Tensor) -> Tensor:
        """Turn pictures into vectors.

        Args:
            pictures: (N, size * size * 3), 0 to 255 (bytes, as a rule), in the order height, width, red green blue.

        Returns:
            (N, output_size), >= 0.
        """
        dtype = self.conv1.weight.dtype
        x = pictures.unflatten(1, (self.size, self.size, 3)).permute(0, 3, 1, 2).to(dtype)
        x = (x / 255 - self.mean.to(dtype)) / self.std.to(dtype)
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.nn.functional.max_pool2d(x, 3, stride=2, padding=1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return x.mean(dim=(2, 3))


def _block(bottleneck: bool) -> "type[BasicBlock | Bottleneck]":
    try:
        # An extra; audio-only systems run without it.
        from torchvision.models.resnet import BasicBlock, Bottleneck
    except ImportError as error:
        raise UserError(f"{error.name} is missing for video; install it: tools/install.sh --extras video") from error
    return Bottleneck if bottleneck else BasicBlock
