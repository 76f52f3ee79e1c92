"""Convolution with filters of thousands of taps."""

import torch
from torch import Tensor


class FFTConv1d(torch.nn.Conv1d):
    """Convolution in time with `same` padding and stride 1, by FFTs of overlapping blocks (overlap-save).

    Source: Oppenheim and Schafer, "Discrete-Time Signal Processing", section 8.7.3.

    Computes what torch.nn.Conv1d does, with the same parameters: 40 x 40 filters of 4,000 taps over 48,000 steps are
    3e11 multiplications by taps, and about 1e9 so. Always in float32 or more: mixed precision has no FFT.

    Args:
        in_channels: Channels of the input.
        out_channels: Filters.
        taps: Length of a filter.
    """

    def __init__(self, in_channels: int, out_channels: int, taps: int) -> None:
        super().__init__(in_channels, out_channels, taps, padding="same")

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, T) -> (B, out_channels, T)."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(torch.promote_types(x.dtype, torch.float32))
            return self._convolve(x) + self.bias.unsqueeze(1)

    def _convolve(self, x: Tensor) -> Tensor:
        taps, steps = self.kernel_size[0], x.size(2)
        # Blocks of four filters' length waste little, and a short input needs no more than itself and one filter.
        size = 1 << (min(4 * taps, steps + taps - 1) - 1).bit_length()
        useful = size - taps + 1
        n_blocks = -(-steps // useful)
        left = (taps - 1) // 2
        right = (n_blocks - 1) * useful + size - steps - left
        blocks = torch.nn.functional.pad(x, (left, right)).unfold(2, size, useful)
        spectrum = torch.fft.rfft(blocks).permute(3, 0, 2, 1).flatten(1, 2)
        # Conjugated, since layers called convolution correlate.
        filters = torch.fft.rfft(self.weight, size).conj().permute(2, 1, 0)
        product = torch.bmm(spectrum, filters).unflatten(1, (x.size(0), n_blocks))
        y = torch.fft.irfft(product.permute(1, 3, 2, 0), size)[..., :useful]
        return y.flatten(2)[..., :steps]
