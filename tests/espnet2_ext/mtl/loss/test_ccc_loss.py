import audmetric
import numpy as np
import pytest
import torch

from espnet2_ext.mtl.loss import build_loss, ccc_loss


def numpy_ccc(x: np.ndarray, y: np.ndarray) -> float:
    """Lin 1989 in float64, straight from the definition."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    return 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def test_hand_value() -> None:
    # means 2 and 3, variances 2/3 and 8/3, covariance 4/3: CCC = (8/3) / (10/3 + 1) = 8/13.
    loss = ccc_loss(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[1.0], [3.0], [5.0]]))
    assert loss.tolist() == pytest.approx([1 - 8 / 13], abs=1e-6)


@pytest.mark.parametrize("n", [2, 8, 64])
def test_perfect_prediction_is_one_at_every_batch_size(n: int) -> None:
    x = torch.rand(n, 3, generator=torch.Generator().manual_seed(n))
    assert ccc_loss(x, x.clone()).abs().max() < 1e-6


@pytest.mark.parametrize("n", [2, 8, 64])
def test_equals_numpy_and_audmetric(n: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.random((n, 5)), rng.random((n, 5))
    ours = 1 - ccc_loss(torch.tensor(x), torch.tensor(y)).numpy()
    assert ours == pytest.approx([numpy_ccc(x[:, d], y[:, d]) for d in range(5)], abs=1e-12)
    assert ours == pytest.approx([audmetric.concordance_cc(y[:, d], x[:, d]) for d in range(5)], abs=1e-12)


def test_offset_does_not_cost_precision() -> None:
    # Ages with a small spread: raw second moments in float32 would lose all of it.
    rng = np.random.default_rng(0)
    y = 1000 + 0.01 * rng.standard_normal((32, 1)).astype(np.float32)
    x = y + np.float32(0.002) * rng.standard_normal((32, 1)).astype(np.float32)
    ours = 1 - ccc_loss(torch.tensor(x.astype(np.float32)), torch.tensor(y.astype(np.float32))).item()
    assert ours == pytest.approx(numpy_ccc(x.astype(np.float32), y.astype(np.float32)), abs=1e-3)


def test_mask_equals_selection_and_stops_nan() -> None:
    rng = np.random.default_rng(1)
    x, y, mask = rng.random((16, 4)), rng.random((16, 4)), rng.random((16, 4)) < 0.6
    y[~mask] = np.nan
    pred = torch.tensor(x, requires_grad=True)
    loss = ccc_loss(pred, torch.tensor(y), torch.tensor(mask))
    expected = [1 - numpy_ccc(x[mask[:, d], d], y[mask[:, d], d]) for d in range(4)]
    assert loss.tolist() == pytest.approx(expected, abs=1e-12)
    assert ccc_loss(pred, torch.tensor(y)).tolist() == loss.tolist()  # without a mask: the labels that are not NaN
    loss.sum().backward()
    assert pred.grad.isfinite().all()
    assert (pred.grad[~torch.tensor(mask)] == 0).all()
    assert (pred.grad[torch.tensor(mask)] != 0).all()


def test_nan_prediction_without_label_does_not_leak() -> None:
    pred = torch.rand(4, 2)
    pred[1, 0] = torch.nan
    pred.requires_grad_()
    mask = torch.ones(4, 2, dtype=torch.bool)
    mask[1, 0] = False
    loss = ccc_loss(pred, torch.rand(4, 2), mask)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert pred.grad.isfinite().all()


def test_dimension_without_label_is_zero_with_zero_gradient() -> None:
    pred = torch.rand(5, 2, requires_grad=True)
    target = torch.rand(5, 2)
    target[:, 1] = torch.nan
    loss = ccc_loss(pred, target)
    loss.sum().backward()
    assert loss[1] == 0
    assert loss[0] > 0
    assert (pred.grad[:, 1] == 0).all()


@pytest.mark.parametrize("level", [0.0, 0.3, 1 / 3, -27.1, 1e-6])
@pytest.mark.parametrize("n", [1, 3, 7, 32])
def test_equal_constants_have_ccc_zero(level: float, n: int) -> None:
    pred = torch.full((n, 1), level, requires_grad=True)
    loss = ccc_loss(pred, torch.full((n, 1), level))
    loss.sum().backward()
    assert loss.item() == 1
    assert (pred.grad == 0).all()


def test_constant_prediction_moves_towards_the_labels() -> None:
    pred = torch.full((8, 1), 0.3, requires_grad=True)
    target = torch.linspace(0, 1, 8).unsqueeze(1)
    loss = ccc_loss(pred, target)
    loss.sum().backward()
    assert loss.item() == pytest.approx(1, abs=1e-6)
    assert pred.grad.isfinite().all()
    # d loss / d x_i = -2 (y_i - mean_y) / n / (var_y + (mean_x - mean_y)^2), by hand.
    y = target.squeeze(1).double()
    expected = -2 * (y - 0.5) / 8 / (y.var(correction=0) + 0.04)
    assert pred.grad.squeeze(1).tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_gradient_is_the_numerical_one() -> None:
    generator = torch.Generator().manual_seed(2)
    pred = torch.rand(6, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    target = torch.rand(6, 3, dtype=torch.float64, generator=generator)
    mask = torch.rand(6, 3, generator=generator) < 0.8
    assert torch.autograd.gradcheck(lambda p: ccc_loss(p, target, mask), (pred,))


def test_float32_under_autocast() -> None:
    pred, target = torch.rand(16, 2), torch.rand(16, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = build_loss("ccc")(pred.bfloat16(), target)
        full = build_loss("ccc")(pred, target)
    assert half.dtype == torch.float32
    assert torch.equal(half, ccc_loss(pred.bfloat16().float(), target))
    assert torch.equal(full, ccc_loss(pred, target))


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"\(4, 2\), \(4, 1\)"):
        ccc_loss(torch.rand(4, 2), torch.rand(4, 1))
    with pytest.raises(ValueError, match="must all be"):
        ccc_loss(torch.rand(4), torch.rand(4))
