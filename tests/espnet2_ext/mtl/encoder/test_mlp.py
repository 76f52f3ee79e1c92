"""The multi-layer perceptron against NumPy, and the challenge baseline's size."""

import numpy as np
import pytest
import torch

from espnet2_ext.mtl.encoder import MLP


def test_equals_numpy() -> None:
    torch.manual_seed(0)
    encoder = MLP(5, [None, 1], channels=(4, 3)).double().eval()
    for module in encoder.layers:
        if isinstance(module, torch.nn.LayerNorm):
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.normal_()
    feats = torch.randn(2, 3, 5, dtype=torch.float64)
    lengths = torch.tensor([3, 1])
    x = np.stack([feats[0].numpy().mean(0), feats[1, 0].numpy()])
    for linear, norm in ((encoder.layers[0], encoder.layers[1]), (encoder.layers[4], encoder.layers[5])):
        x = x @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + norm.eps)
        x = x * norm.weight.detach().numpy() + norm.bias.detach().numpy()
        x = np.where(x > 0, x, 0.01 * x)
    np.testing.assert_allclose(encoder(feats, lengths)[1].detach().numpy(), x, rtol=1e-10, atol=1e-12)
    # What lies past the length changes nothing, whatever it is.
    feats[1, 1:] = torch.inf
    np.testing.assert_allclose(encoder(feats, lengths)[1].detach().numpy(), x, rtol=1e-10, atol=1e-12)


def test_size_of_the_baseline() -> None:
    """88 functionals, 128 and 64 units: weights, biases, and two vectors of each normalisation."""
    count = sum(p.numel() for p in MLP(88, [None]).parameters())
    assert count == (88 * 128 + 128) + 2 * 128 + (128 * 64 + 64) + 2 * 64
    assert MLP(88, [None]).output_size(1) == 64


@pytest.mark.parametrize(("exits", "channels", "message"), [([2], (4,), "exits 1 to 1"), ([None], (), "channels")])
def test_impossible_options(exits: list[int | None], channels: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLP(8, exits, channels=channels)
