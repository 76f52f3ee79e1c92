"""Two layers of filters on the wave: the audio part of `AudioVisual`."""

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.conv_block import frame_mask
from espnet2_ext.mtl.encoder.fft_conv import FFTConv1d


class WaveNetwork(torch.nn.Module):
    """conv, max pooling in time, conv, max pooling across channels, cut into frames.

    Source: Chae et al., "End-to-end Multimodal Emotion and Gender Recognition with Dynamic Joint Loss Weights", 2018,
    section IV-A: 40 filters of 5 ms (80 samples at 16 kHz), pooling of 2 to 8 kHz, 40 filters of 500 ms (4,000 steps),
    pooling of 10 across channels, 6 s being 96,000 samples. The paper is silent about strides, padding, nonlinearity
    and frames; all are those of the network that it says it follows (Tzirakis et al., "End-to-End Multimodal Emotion
    Recognition using Deep Neural Networks", 2017): stride 1, padding to the same length, ReLU after each convolution
    (their half-wave rectification), pooling without overlap, and all that is left of 40 ms in one frame: 320 steps of
    4 channels, 1,280 values.

    Args:
        hop: Samples of one frame, a multiple of `time_pool`.
        filters: Filters of both convolutions, a multiple of `channel_pool`.
        short_taps: Samples of a filter of the first convolution.
        long_taps: Steps, of `time_pool` samples, of a filter of the second one.
        time_pool: Size of the pooling in time.
        channel_pool: Size of the pooling across channels.

    Attributes:
        output_size: Values of a frame.

    Raises:
        ValueError: A size is impossible, or none of those multiples.
    """

    def __init__(
        self,
        hop: int = 640,
        filters: int = 40,
        short_taps: int = 80,
        long_taps: int = 4000,
        time_pool: int = 2,
        channel_pool: int = 10,
    ) -> None:
        super().__init__()
        sizes = {"hop": hop, "filters": filters, "short_taps": short_taps, "long_taps": long_taps}
        sizes |= {"time_pool": time_pool, "channel_pool": channel_pool}
        for name, size in sizes.items():
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"{name} {size!r}: give a whole number from 1")
        if hop % time_pool or filters % channel_pool:
            raise ValueError(f"hop is a multiple of time_pool {time_pool}, filters one of channel_pool {channel_pool}")
        self.hop, self.time_pool, self.channel_pool = hop, time_pool, channel_pool
        self.output_size = hop // time_pool * (filters // channel_pool)
        # Padded by hand: for an even number of taps torch does it with a warning.
        self.padding = ((short_taps - 1) // 2, short_taps // 2)
        self.short_conv = torch.nn.Conv1d(1, filters, short_taps)
        self.long_conv = FFTConv1d(filters, filters, long_taps)
        for conv in (self.short_conv, self.long_conv):
            torch.nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            torch.nn.init.zeros_(conv.bias)

    def forward(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Turn samples into frames.

        Args:
            wave: (B, N, 1).
            lengths: (B,) valid samples, or None for all; a wave gives what it gives by itself.

        Returns:
            (B, ceil(N / hop), output_size), >= 0. A last frame that is not full is filled with zeros.
        """
        x = torch.nn.functional.pad(wave.transpose(1, 2), (0, -wave.size(1) % self.hop))
        x = torch.nn.functional.pad(_masked(x, lengths, wave.size(1)), self.padding)
        x = _masked(torch.relu(self.short_conv(x)), lengths, wave.size(1))
        x = torch.nn.functional.max_pool1d(x, self.time_pool)
        steps = None if lengths is None else (lengths + self.time_pool - 1) // self.time_pool
        x = _masked(torch.relu(self.long_conv(x)), steps, -(-wave.size(1) // self.time_pool))
        x = x.unflatten(1, (-1, self.channel_pool)).amax(dim=2)
        return x.transpose(1, 2).unflatten(1, (-1, self.hop // self.time_pool)).flatten(2)


def _masked(x: Tensor, lengths: Tensor | None, total: int) -> Tensor:
    """Set (B, C, T) to zero from `lengths` (B,), or from `total` for all rows, on."""
    if lengths is None:
        return x if total == x.size(2) else torch.nn.functional.pad(x[..., :total], (0, x.size(2) - total))
    return x * frame_mask(lengths, x.size(2)).unsqueeze(1)
