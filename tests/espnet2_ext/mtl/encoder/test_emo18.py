"""Emo-18: padding changes nothing, the paper's sizes, and its steps by hand."""

import numpy as np
import pytest
import torch

from espnet2_ext.mtl.encoder import Emo18
from espnet2_ext.mtl.encoder.emo18 import shortest_wave


def build(channels: tuple[int, ...] = (3, 4, 5), **conf: int) -> Emo18:
    torch.manual_seed(0)
    encoder = Emo18(1, [None], channels=channels, hidden_size=6, **conf).double()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.normal_()
    return encoder.eval()


def test_padded_batch_equals_single_utterances() -> None:
    encoder = build()
    generator = torch.Generator().manual_seed(1)
    lengths = (2000, 1380, 1371, 1370, 731, 730, 40, 1)
    waves = [torch.randn(n, 1, generator=generator, dtype=torch.float64) for n in lengths]
    # What lies past the length is anything.
    feats = torch.full((len(lengths), 2100, 1), torch.nan, dtype=torch.float64)
    for row, wave in zip(feats, waves, strict=True):
        row[: len(wave)] = wave
    together = encoder(feats, torch.tensor(lengths))[1]
    for row, wave in enumerate(waves):
        torch.testing.assert_close(together[row], encoder(wave.unsqueeze(0))[1][0], rtol=1e-9, atol=1e-9)


def test_equals_numpy() -> None:
    """One channel a block: a convolution written out, normalisation, LeakyReLU, maxima; then torch's own LSTM."""
    encoder = build((1, 1, 1), n_layers=1)
    wave = torch.randn(2, 1500, 1, dtype=torch.float64)
    found = encoder(wave)[1].detach()
    for row in range(2):
        x = wave[row, :, 0].numpy()
        for block, kernel, pool in zip(encoder.blocks, (8, 6, 6), (10, 8, 8), strict=True):
            conv, norm = block[0], block[1]
            x = np.pad(x, (kernel - 1) // 2)
            x = np.correlate(x, conv.weight.detach().numpy()[0, 0], "valid") + conv.bias.item()
            x = (x - norm.running_mean.item()) / np.sqrt(norm.running_var.item() + norm.eps)
            x = x * norm.weight.item() + norm.bias.item()
            x = np.where(x > 0, x, 0.01 * x)
            x = x[: len(x) // pool * pool].reshape(-1, pool).max(1)
        assert len(x) == 2  # 1500 -> 149 -> 18 -> 2
        states, _ = encoder.lstm(torch.from_numpy(x)[None, :, None])
        torch.testing.assert_close(found[row], states[0, -1], rtol=1e-9, atol=1e-9)


def test_sizes_of_the_paper() -> None:
    """Weights and biases by hand: convolutions, two vectors of each normalisation, four gates of two LSTM layers."""
    with torch.device("meta"):
        encoder = Emo18(1, [None, 1])
    convolutions = 64 * 8 + 64 + 128 * 64 * 6 + 128 + 256 * 128 * 6 + 256
    lstm = 2 * 4 * (256 * (256 + 256) + 2 * 256)
    assert sum(p.numel() for p in encoder.parameters()) == convolutions + 2 * (64 + 128 + 256) + lstm
    assert encoder.output_size(1) == 256


def test_one_step_is_40_ms() -> None:
    assert shortest_wave() == 731  # ((8 + 1) * 8 + 1) * 10 + 1
    encoder = build()
    steps = []
    encoder.lstm.register_forward_hook(lambda _, args, __: steps.append(args[0].size(1)))
    for samples in (731, 1370, 1371, 40000):
        encoder(torch.zeros(1, samples, 1, dtype=torch.float64))
    assert steps == [1, 1, 2, 62]


@pytest.mark.parametrize(
    ("size", "exits", "conf", "message"),
    [
        (64, [None], {}, "name: raw"),
        (1, [2], {}, "exits 1 to 1"),
        (1, [None], {"channels": (4, 4)}, "give 3 numbers"),
        (1, [None], {"hidden_size": 0}, "from 1"),
        (1, [None], {"dropout": 2.0}, "dropout"),
    ],
)
def test_impossible_options(size: int, exits: list[int | None], conf: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Emo18(size, exits, **conf)
