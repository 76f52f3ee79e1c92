import pytest
import torch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.loss import LOSSES, AbsLoss, build_loss, l1_loss, mse_loss

PRED = torch.tensor([[1.0, 0.0], [2.0, 5.0], [4.0, 7.0]])
TARGET = torch.tensor([[2.0, 0.0], [2.0, torch.nan], [1.0, 4.0]])


def test_hand_values() -> None:
    assert mse_loss(PRED, TARGET).tolist() == pytest.approx([10 / 3, 4.5])
    assert l1_loss(PRED, TARGET).tolist() == pytest.approx([4 / 3, 1.5])


def test_equal_torch_without_missing_labels() -> None:
    pred, target = torch.rand(9, 1), torch.rand(9, 1)
    assert mse_loss(pred, target).item() == pytest.approx(torch.nn.functional.mse_loss(pred, target).item())
    assert l1_loss(pred, target).item() == pytest.approx(torch.nn.functional.l1_loss(pred, target).item())


@pytest.mark.parametrize("name", ["mse", "l1", "ccc"])
def test_dimension_without_label(name: str) -> None:
    pred = PRED.clone().requires_grad_()
    loss = build_loss(name)(pred, torch.full_like(PRED, torch.nan))
    loss.sum().backward()
    assert loss.tolist() == [0, 0]
    assert (pred.grad == 0).all()


@pytest.mark.parametrize("name", ["mse", "l1"])
def test_gradient_is_finite_and_float32_under_autocast(name: str) -> None:
    pred = PRED.bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = build_loss(name)(pred, TARGET)
    loss.sum().backward()
    assert loss.dtype == torch.float32
    assert loss.tolist() == pytest.approx({"mse": [10 / 3, 4.5], "l1": [4 / 3, 1.5]}[name], rel=1e-6)
    assert pred.grad.isfinite().all()
    assert pred.grad[1, 1] == 0


def test_registry() -> None:
    assert set(LOSSES) == {"ccc", "mse", "l1", "cross_entropy"}
    for name in LOSSES:
        assert isinstance(build_loss(name), AbsLoss)
    with pytest.raises(UserError, match=r"no such loss: cc; use one of ccc, mse"):
        build_loss("cc")
    with pytest.raises(UserError, match=r"loss mse: no such option: reduction; its options are: none"):
        build_loss("mse", reduction="sum")
    with pytest.raises(UserError, match=r"no such option: smooth; its options are: class_weights, label_smoothing"):
        build_loss("cross_entropy", smooth=0.1)
