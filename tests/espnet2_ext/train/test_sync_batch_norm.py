"""Batch normalisation of two ranks equals that of the joined batch."""

import pytest
import torch
from ranks import run_ranks
from torch import Tensor

from espnet2_ext.train.sync_batch_norm import CPUSyncBatchNorm, synchronise_batch_norm

ROWS = (5, 2)  # uneven


def make_net(momentum: float | None, affine: bool) -> torch.nn.Module:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.BatchNorm2d(4, momentum=momentum, affine=affine),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Sequential(torch.nn.Linear(48, 3), torch.nn.BatchNorm1d(3, momentum=momentum, affine=affine)),
    ).double()
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and affine:
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.normal_()
    return net


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    # Far from 0: a variance as E[x^2] - E[x]^2 would cancel.
    feats = 100 + torch.randn(2, sum(ROWS), 1, 6, 5, generator=generator, dtype=torch.float64)
    return feats, torch.randn(2, sum(ROWS), 3, generator=generator, dtype=torch.float64)


def steps(net: torch.nn.Module, rows: slice) -> dict[str, Tensor]:
    """Two forward passes of these rows; gradients by input and parameters of the summed loss, and buffers."""
    feats, factors = data()
    feats = feats.requires_grad_()
    result = {}
    for step in range(2):
        output = net(feats[step, rows])
        (output * factors[step, rows]).sum().backward()
        result[f"output {step}"] = output.detach()
    result["input"] = feats.grad[:, rows]
    result |= {f"gradient {name}": p.grad for name, p in net.named_parameters()}
    result |= {f"buffer {name}": b.clone() for name, b in net.named_buffers()}
    net.eval()
    return result | {"eval": net(feats[0, rows]).detach()}


def one_rank(rank: int, world_size: int, momentum: float | None, affine: bool) -> dict[str, Tensor]:
    net = make_net(momentum, affine)
    before = {name: id(p) for name, p in net.named_parameters()}
    names = list(net.state_dict())
    net = synchronise_batch_norm(net, gpu=False)
    assert sum(isinstance(m, CPUSyncBatchNorm) for m in net.modules()) == 2
    assert {name: id(p) for name, p in net.named_parameters()} == before  # optimisers keep what they hold
    assert list(net.state_dict()) == names
    start = sum(ROWS[:rank])
    return steps(net, slice(start, start + ROWS[rank]))


@pytest.mark.parametrize(("momentum", "affine"), [(0.1, True), (None, False)])
def test_two_uneven_ranks_equal_the_joined_batch(momentum: float | None, affine: bool) -> None:
    parts = run_ranks(one_rank, 2, momentum, affine)
    whole = steps(make_net(momentum, affine), slice(None))
    for name, expected in whole.items():
        found = [part[name] for part in parts]
        if name.startswith(("output", "eval")):
            found = torch.cat(found)
        elif name == "input":
            found = torch.cat(found, dim=1)
        elif name.startswith("gradient"):
            found = found[0] + found[1]
        else:  # running statistics: the same on every rank
            assert torch.equal(found[0], found[1]), name
            found = found[0]
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9, msg=name)


def mixed(rank: int, world_size: int) -> dict[str, Tensor]:
    """Under mixed precision: half the numbers' width in and out, moments in float32."""
    norm = synchronise_batch_norm(torch.nn.Sequential(torch.nn.BatchNorm2d(2)), gpu=False)
    x = (100 + torch.randn(8, 2, 40, 5, generator=torch.Generator().manual_seed(rank))).bfloat16()
    return {"x": x, "y": norm(x).detach(), "mean": norm[0].running_mean, "var": norm[0].running_var}


def test_bfloat16() -> None:
    parts = run_ranks(mixed, 2)
    x = torch.cat([part["x"] for part in parts])
    norm = torch.nn.BatchNorm2d(2)
    y = norm(x.float())
    assert all(part["y"].dtype == torch.bfloat16 for part in parts)
    torch.testing.assert_close(torch.cat([part["y"] for part in parts]).float(), y, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(parts[0]["mean"], norm.running_mean, rtol=1e-4, atol=0)
    torch.testing.assert_close(parts[1]["var"], norm.running_var, rtol=1e-4, atol=0)


def test_without_ranks_it_is_torchs() -> None:
    net = synchronise_batch_norm(make_net(0.1, True), gpu=False)
    expected = steps(make_net(0.1, True), slice(None))
    for name, value in steps(net, slice(None)).items():
        assert torch.equal(value, expected[name]), name
