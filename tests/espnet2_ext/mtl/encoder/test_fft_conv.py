"""Convolution by FFT against torch's direct one."""

import pytest
import torch

from espnet2_ext.mtl.encoder.fft_conv import FFTConv1d


@pytest.mark.parametrize("taps", [1, 2, 7, 8])
@pytest.mark.parametrize("steps", [1, 5, 8, 9, 100])
def test_equals_the_direct_convolution(taps: int, steps: int) -> None:
    torch.manual_seed(0)
    conv = FFTConv1d(3, 5, taps).double()
    direct = torch.nn.Conv1d(3, 5, taps).double()
    direct.load_state_dict(conv.state_dict())
    x = torch.randn(2, 3, steps, dtype=torch.float64)
    found, wanted = conv(x), direct(torch.nn.functional.pad(x, ((taps - 1) // 2, taps // 2)))
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)
    kept = torch.randn(found.shape, dtype=torch.float64)
    for name, gradient in zip(
        conv.state_dict(), torch.autograd.grad((found * kept).sum(), list(conv.parameters())), strict=True
    ):
        other = torch.autograd.grad((wanted * kept).sum(), direct.get_parameter(name), retain_graph=True)[0]
        torch.testing.assert_close(gradient, other, rtol=1e-10, atol=1e-10)


def test_the_papers_length_in_float32() -> None:
    """Filters of 4,000 taps, on four channels of the forty."""
    torch.manual_seed(0)
    conv = FFTConv1d(2, 3, 4000)
    x = torch.randn(1, 2, 6000)
    padded = torch.nn.functional.pad(x, (1999, 2000)).double()
    wanted = torch.nn.functional.conv1d(padded, conv.weight.double(), conv.bias.double())
    torch.testing.assert_close(conv(x).double(), wanted, rtol=1e-4, atol=1e-5)


def test_float32_under_mixed_precision() -> None:
    conv, x = FFTConv1d(2, 3, 9), torch.randn(1, 2, 50)
    with torch.autocast("cpu", torch.bfloat16):
        found = conv(x.bfloat16())
    torch.testing.assert_close(found, conv(x.bfloat16().float()), rtol=0, atol=0)
