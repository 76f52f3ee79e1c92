"""Two 3x3 convolutions with normalisation and ReLU, then average pooling: the block of VGG-like audio networks."""

import torch
from torch import Tensor


def build_norm(name: str, channels: int) -> torch.nn.Module:
    """Build a normalisation over (B, C, T, F): `batch`, or `group` (up to 8 channels a group).

    Raises:
        ValueError: Another name.
    """
    if name == "batch":
        return torch.nn.BatchNorm2d(channels)
    if name == "group":
        return MaskedGroupNorm(max(1, channels // 8), channels)
    raise ValueError(f"norm is batch or group, not {name!r}")


class MaskedGroupNorm(torch.nn.GroupNorm):
    """Group normalisation over the valid frames of each utterance."""

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, C, T, F), valid frames (B,) or None for all -> (B, C, T, F)."""
        if lengths is None:
            return super().forward(x)
        # Moments of bfloat16 maps would be too coarse.
        groups = x.to(torch.promote_types(x.dtype, torch.float32)).unflatten(1, (self.num_groups, -1))
        mask = frame_mask(lengths, x.size(2))[:, None, None, :, None]
        count = (lengths * groups.size(2) * x.size(3))[:, None, None, None, None]
        mean = (groups * mask).sum((2, 3, 4), keepdim=True) / count
        centred = groups - mean
        variance = (centred.square() * mask).sum((2, 3, 4), keepdim=True) / count
        x = (centred * (variance + self.eps).rsqrt()).flatten(1, 2)
        return x * self.weight[:, None, None] + self.bias[:, None, None]


def apply_norm(norm: torch.nn.Module, x: Tensor, lengths: Tensor | None) -> Tensor:
    """Normalise (B, C, T, F) by what `build_norm` has built; group normalisation leaves invalid frames out."""
    return norm(x, lengths) if isinstance(norm, MaskedGroupNorm) else norm(x)


class ConvBlock(torch.nn.Module):
    """conv 3x3, norm, ReLU, conv 3x3, norm, ReLU, average pooling.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of both convolutions.
        pool: Size and stride of the average pooling in time and frequency; (1, 1) for none.
        norm: `batch` or `group`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, pool: tuple[int, int] = (2, 2), norm: str = "batch"
    ) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = build_norm(norm, out_channels)
        self.conv2 = torch.nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = build_norm(norm, out_channels)
        self.pool = pool
        for conv in (self.conv1, self.conv2):
            torch.nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(B, C, T, F) and valid frames (B,) -> (B, C', T // pool, F // pool) and their valid frames.

        Frames past the length are set to zero before each convolution, as the zero padding of an utterance by itself.
        An utterance that is shorter than the pooling keeps one frame.
        """
        for conv, norm in ((self.conv1, self.norm1), (self.conv2, self.norm2)):
            x = torch.relu(apply_norm(norm, conv(mask_frames(x, lengths)), lengths))
        if self.pool == (1, 1):
            return x, lengths
        # Averaging what is there is right for a clip shorter than the pooling; elsewhere sizes are even or floored.
        pool = (min(self.pool[0], x.size(2)), min(self.pool[1], x.size(3)))
        if lengths is None:
            return torch.nn.functional.avg_pool2d(x, pool), None
        # The one frame that is left of an utterance shorter than the pooling is the mean of its valid frames.
        share = pool[0] / lengths.clamp(max=pool[0]).to(x.dtype)
        x = torch.nn.functional.avg_pool2d(mask_frames(x, lengths), pool) * share[:, None, None, None]
        return x, torch.div(lengths, pool[0], rounding_mode="floor").clamp(min=1)


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """(B,) lengths -> (B, T) bool, true for valid frames."""
    return torch.arange(frames, device=lengths.device) < lengths.unsqueeze(1)


def mask_frames(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Set the frames past the length of (B, C, T, F) to zero."""
    if lengths is None:
        return x
    return x * frame_mask(lengths, x.size(2))[:, None, :, None]
