"""Barlow Twins loss against numpy, at its minimum, in its gradients, and over ranks."""

import numpy as np
import pytest
import torch
from ranks import run_ranks

from espnet2_ext.mtl.gather import gather_rows
from espnet2_ext.mtl.loss import barlow_twins_loss
from espnet2_ext.mtl.projector import Projector


def views(rows: int = 24, width: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    one = 3 * torch.randn(rows, width, generator=generator, dtype=torch.float64) + 5
    return one, one + torch.randn(rows, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("weight", [0.0, 0.001, 0.7])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_is_that_of_numpys_correlations(weight: float, dtype: torch.dtype) -> None:
    one, two = (1000 * view for view in views())  # beside such variances the 1e-5 that is added to them is nothing
    width = one.size(1)
    correlation = np.corrcoef(one.numpy(), two.numpy(), rowvar=False)[:width, width:]
    expected = ((1 - np.diag(correlation)) ** 2).sum()
    expected += weight * ((correlation**2).sum() - (np.diag(correlation) ** 2).sum())
    tolerance = 1e-9 if dtype == torch.float64 else 1e-5
    assert barlow_twins_loss(one.to(dtype), two.to(dtype), weight).item() == pytest.approx(expected, rel=tolerance)


def decorrelated(scale: float = 1.0) -> torch.Tensor:
    """Columns of a Hadamard matrix but the first: mean 0, deviation `scale`, no correlation."""
    base = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    return scale * torch.kron(torch.kron(base, base), base)[:, 1:]


def test_identical_decorrelated_views_have_no_loss() -> None:
    z = decorrelated(3.0)
    assert barlow_twins_loss(z, z + 2).item() == pytest.approx(0, abs=1e-10)  # wherever the means are
    assert barlow_twins_loss(z, -z).item() == pytest.approx(4 * 7, rel=1e-5)  # each C_ii is -1
    assert barlow_twins_loss(z, z.roll(1, 1), 0.5).item() == pytest.approx(7 + 0.5 * 7, rel=1e-5)


def test_gradient_is_the_numerical_one() -> None:
    one, two = views(rows=6, width=3)
    inputs = (one.requires_grad_(), two.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: barlow_twins_loss(a, b, 0.1), inputs)


def test_constant_dimension_and_single_row_are_finite() -> None:
    one, two = (view.float() for view in views())
    one[:, 0] = 3.0
    one.requires_grad_()
    loss = barlow_twins_loss(one, two)
    loss.backward()
    assert loss.isfinite()
    assert one.grad.isfinite().all()
    assert barlow_twins_loss(one[:1], two[:1]).item() == pytest.approx(7)  # nothing correlates


def test_half_precision_is_computed_in_float32() -> None:
    one, two = views()
    half, other = one.bfloat16(), two.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        loss = barlow_twins_loss(half, other)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(barlow_twins_loss(half.double(), other.double()).item(), rel=1e-5)


def test_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(4, 3\) and \(4, 2\)"):
        barlow_twins_loss(torch.zeros(4, 3), torch.zeros(4, 2))


def rank_gradients(rank: int, world_size: int) -> tuple[float, list[torch.Tensor]]:
    """Loss of the gathered rows, and this rank's gradient as data-parallel training averages it."""
    rows = [view[rank::world_size].clone().requires_grad_() for view in views(rows=9)]
    loss = barlow_twins_loss(*(gather_rows(view) for view in rows))
    loss.backward()
    return loss.item(), [view.grad / world_size for view in rows]


def test_two_ranks_are_as_one() -> None:
    loss, whole = rank_gradients(0, 1)
    parts = run_ranks(rank_gradients, 2)
    for rank, (found, gradients) in enumerate(parts):
        assert found == pytest.approx(loss, rel=1e-12)
        for gradient, expected in zip(gradients, whole, strict=True):
            torch.testing.assert_close(gradient, expected[rank::2], rtol=1e-9, atol=1e-12)


def test_projector_sizes() -> None:
    """The paper's one layer on 512: 1.05 M parameters; the three layers of the source have two norms between them."""
    assert sum(p.numel() for p in Projector(512, [2048]).parameters()) == 512 * 2048 + 2048
    kinds = [type(layer).__name__ for layer in Projector(4, [8, 8, 6])]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert Projector(4, [8, 6])(torch.randn(3, 4)).shape == (3, 6)
    for bad in ([], [8, 0]):
        with pytest.raises(ValueError, match="projector"):
            Projector(4, bad)
