import math

import pytest
import torch
from torch.nn import functional

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.loss import build_loss, cross_entropy_loss

WEIGHTS = [0.5, 2.0, 1.0]


def test_hand_value() -> None:
    # Softmax of (0, ln 3) is (1/4, 3/4).
    logits = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])
    loss = cross_entropy_loss(logits, torch.tensor([0, 1]))
    assert loss.shape == (1,)
    assert loss.item() == pytest.approx((math.log(4) + math.log(4 / 3)) / 2)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("missing", [(), (1, 4)])
def test_equals_torch_on_the_labelled_rows(
    weights: list[float] | None, smoothing: float, missing: tuple[int, ...]
) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 3, dtype=torch.float64, generator=generator).requires_grad_()
    target = torch.randint(3, (7,), generator=generator)
    target[list(missing)] = -1
    labelled = target >= 0
    ours = build_loss("cross_entropy", class_weights=weights, label_smoothing=smoothing)(logits, target)
    expected = functional.cross_entropy(
        logits[labelled],
        target[labelled],
        weight=None if weights is None else torch.tensor(weights, dtype=torch.float64),
        label_smoothing=smoothing,
    )
    assert ours.item() == pytest.approx(expected.item(), rel=1e-12)
    gradient = torch.autograd.grad(ours.sum(), logits)[0]
    assert torch.allclose(gradient, torch.autograd.grad(expected, logits)[0], atol=1e-12)


def test_mask_and_nan_rows() -> None:
    logits = torch.randn(3, 2)
    logits[1] = torch.nan
    logits.requires_grad_()
    loss = cross_entropy_loss(logits, torch.tensor([0, 1, 1]), torch.tensor([True, False, True]))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert logits.grad.isfinite().all()
    assert (logits.grad[1] == 0).all()


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0])])
def test_no_label_at_all(weights: torch.Tensor | None) -> None:
    logits = torch.randn(3, 2, requires_grad=True)
    loss = cross_entropy_loss(logits, torch.tensor([-1, -1, -1]), class_weights=weights)
    loss.sum().backward()
    assert loss.tolist() == [0]
    assert (logits.grad == 0).all()


def test_float32_under_autocast() -> None:
    logits, target = torch.randn(8, 4).bfloat16(), torch.randint(4, (8,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = build_loss("cross_entropy", class_weights=[1, 2, 3, 4])(logits, target)
    assert loss.dtype == torch.float32
    expected = functional.cross_entropy(logits.float(), target, weight=torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_weights_follow_the_configuration_not_the_checkpoint() -> None:
    assert build_loss("cross_entropy", class_weights=WEIGHTS).state_dict() == {}


@pytest.mark.parametrize(
    "conf",
    [
        {"label_smoothing": 1.0},
        {"label_smoothing": -0.1},
        {"label_smoothing": "much"},
        {"class_weights": "balanced"},
        {"class_weights": [1.0, math.nan]},
        {"class_weights": [1.0, -1.0]},
        {"class_weights": [0.0, 0.0]},
    ],
)
def test_options_out_of_range(conf: dict) -> None:
    with pytest.raises(UserError, match=next(iter(conf))):
        build_loss("cross_entropy", **conf)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="must be"):
        cross_entropy_loss(torch.randn(3, 2), torch.tensor([0, 1]))
