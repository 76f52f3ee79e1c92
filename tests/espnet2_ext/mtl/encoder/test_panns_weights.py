"""Weights in PANNs' layout, of a network written out as PANNs describes it."""

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import ENCODERS
from espnet2_ext.mtl.encoder.panns_cnn import PannsCNN
from espnet2_ext.mtl.encoder.panns_weights import load_panns

CHANNELS = {"cnn10": (4, 6, 8, 10), "cnn14": (4, 4, 6, 6, 8, 10)}
N_BINS = 64


class Block(torch.nn.Module):
    """The names of PANNs."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        self.conv2 = torch.nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.bn1, self.bn2 = torch.nn.BatchNorm2d(c_out), torch.nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor, pool: int) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.avg_pool2d(functional.relu(self.bn2(self.conv2(x))), pool)


class Panns(torch.nn.Module):
    """CNN10 or CNN14 as published, front end (unused) and classes (unused) included; evaluation only."""

    def __init__(self, channels: tuple[int, ...], n_bins: int = N_BINS) -> None:
        super().__init__()
        self.logmel_extractor = torch.nn.Module()
        self.logmel_extractor.melW = torch.nn.Parameter(torch.randn(513, n_bins))
        self.bn0 = torch.nn.BatchNorm2d(n_bins)
        self.pools = [1 if len(channels) == 6 and i == 5 else 2 for i in range(len(channels))]
        for i, (c_in, c_out) in enumerate(zip((1, *channels), channels, strict=False), 1):
            setattr(self, f"conv_block{i}", Block(c_in, c_out))
        self.fc1 = torch.nn.Linear(channels[-1], channels[-1])
        self.fc_audioset = torch.nn.Linear(channels[-1], 527)

    def forward(self, feats: Tensor) -> Tensor:
        x = self.bn0(feats[:, None].transpose(1, 3)).transpose(1, 3)
        for i, pool in enumerate(self.pools, 1):
            x = getattr(self, f"conv_block{i}")(x, pool)
        x = x.mean(3)
        return functional.relu(self.fc1(x.max(2).values + x.mean(2)))


def make_file(path: Path, name: str, wrapped: bool = True) -> Panns:
    torch.manual_seed(7)
    network = Panns(CHANNELS[name]).eval()
    with torch.no_grad():
        for entry in network.state_dict().values():
            if entry.is_floating_point():
                entry.uniform_(0.2, 1.0)
                entry *= torch.where(torch.rand_like(entry) < 0.4, -1, 1) if entry.dim() > 1 else 1
    state = network.state_dict()
    torch.save({"iteration": 600000, "model": state} if wrapped else state, path)
    return network


def build(name: str, n_bins: int = N_BINS, **conf: object) -> PannsCNN:
    return ENCODERS[name](n_bins, [None], **{"channels": CHANNELS[name]} | conf).eval()


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("name", ["cnn10", "cnn14"])
def test_encoder_computes_what_the_network_of_the_file_does(tmp_path: Path, name: str, wrapped: bool) -> None:
    network, encoder = make_file(tmp_path / "panns.pth", name, wrapped), build(name)
    feats = torch.randn(2, 96, N_BINS)
    before = encoder(feats)[1]
    load_panns(encoder, tmp_path / "panns.pth")
    expected = network(feats)
    assert not torch.allclose(before, expected, rtol=0.1)
    torch.testing.assert_close(encoder(feats)[1], expected, rtol=1e-4, atol=1e-5)


def test_weights_of_old_torch_have_no_counters(tmp_path: Path) -> None:
    network = make_file(tmp_path / "panns.pth", "cnn10")
    state = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save({"model": state}, tmp_path / "old.pth")
    encoder = build("cnn10")
    load_panns(encoder, tmp_path / "old.pth")
    assert torch.equal(encoder.blocks[2].norm2.running_var, network.conv_block3.bn2.running_var)


@pytest.mark.parametrize(
    ("file", "encoder", "conf", "expected"),
    [
        ("cnn14", "cnn10", {}, "holds conv_block5.conv1.weight .* choose the encoder"),
        ("cnn10", "cnn14", {}, "lacks blocks.4.conv1.weight .* choose the encoder"),
        ("cnn10", "cnn10", {"norm": "group"}, "norm: batch"),
        ("cnn10", "cnn10", {"n_bins": 80}, r"bn0.weight is \(64,\), bin_norm.weight .*\(80,\): features must have"),
        ("cnn10", "cnn10", {"channels": (5, 6, 8, 10)},
         r"conv_block1.conv1.weight is \(4, 1, 3, 3\), blocks.0.conv1.weight .*\(5, 1, 3, 3\): channels"),
    ],
)  # fmt: skip
def test_other_weights_are_one_line(tmp_path: Path, file: str, encoder: str, conf: dict, expected: str) -> None:
    make_file(tmp_path / "panns.pth", file)
    target = build(encoder, **conf)
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with pytest.raises(UserError, match=rf"panns\.pth: .*{expected}") as caught:
        load_panns(target, tmp_path / "panns.pth")
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "panns.pth"
    with pytest.raises(UserError, match="no such file"):
        load_panns(build("cnn10"), path)
    for content in ([torch.zeros(1)], {"model": 3}, {"bn0.weight": 1.0}):
        torch.save(content, path)
        with pytest.raises(UserError, match="holds no weights by name"):
            load_panns(build("cnn10"), path)
    os.truncate(path, 300)
    with pytest.raises(UserError, match="torn"):
        load_panns(build("cnn10"), path)
