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


def soft_case(weights: list[float] | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 3, dtype=torch.float64, generator=generator).requires_grad_()
    target = torch.rand(7, 3, dtype=torch.float64, generator=generator).softmax(1)
    return logits, target, None if weights is None else torch.tensor(weights, dtype=torch.float64)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("missing", [(), (1, 4)])
def test_probabilities_equal_torch(weights: list[float] | None, smoothing: float, missing: tuple[int, ...]) -> None:
    logits, target, weight = soft_case(weights)
    target[list(missing)] = math.nan
    labelled = ~target.isnan().any(dim=1)
    ours = build_loss("cross_entropy", class_weights=weights, label_smoothing=smoothing)(logits, target)
    summed = functional.cross_entropy(
        logits[labelled], target[labelled], weight=weight, label_smoothing=smoothing, reduction="sum"
    )
    # Torch's mean of probability targets is by rows, which is ours without class weights.
    mass = labelled.sum() if weight is None else (target[labelled] @ weight).sum()
    expected = summed / mass
    if weight is None:
        mean = functional.cross_entropy(logits[labelled], target[labelled], label_smoothing=smoothing)
        assert expected.item() == pytest.approx(mean.item(), rel=1e-12)
    assert ours.shape == (1,)
    assert ours.item() == pytest.approx(expected.item(), rel=1e-12)
    gradient = torch.autograd.grad(ours.sum(), logits)[0]
    assert torch.allclose(gradient, torch.autograd.grad(expected, logits)[0], atol=1e-12)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_certain_probabilities_equal_classes(weights: list[float] | None, smoothing: float) -> None:
    logits, _, _ = soft_case(None)
    classes = torch.tensor([0, 2, -1, 1, 1, -1, 0])
    rows = functional.one_hot(classes.clamp(min=0), 3).double()
    rows[classes < 0] = math.nan
    loss = build_loss("cross_entropy", class_weights=weights, label_smoothing=smoothing)
    assert loss(logits, rows).item() == pytest.approx(loss(logits, classes).item(), rel=1e-12)


def test_mixed_labels_mix_the_losses() -> None:
    """Loss of w a + (1 - w) b is w loss(a) + (1 - w) loss(b) (Zhang et al., 2018)."""
    logits, _, _ = soft_case(None)
    a, b = torch.tensor([0, 2, 1, 1, 1, 0, 2]), torch.tensor([1, 2, 0, 1, 2, 2, 0])
    w = torch.rand(7, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    mixed = w[:, None] * functional.one_hot(a, 3) + (1 - w)[:, None] * functional.one_hot(b, 3)
    one, two = (functional.cross_entropy(logits, x, reduction="none") for x in (a, b))
    assert cross_entropy_loss(logits, mixed).item() == pytest.approx((w * one + (1 - w) * two).mean().item(), rel=1e-12)


def test_no_probability_at_all() -> None:
    logits = torch.randn(3, 2, requires_grad=True)
    loss = cross_entropy_loss(logits, torch.full((3, 2), math.nan), label_smoothing=0.1)
    loss.sum().backward()
    assert loss.tolist() == [0]
    assert (logits.grad == 0).all()


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


@pytest.mark.parametrize("target", [torch.tensor([0, 1]), torch.ones(3), torch.ones(3, 3), torch.ones(3, 2).long()])
def test_shapes_are_checked(target: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="must be"):
        cross_entropy_loss(torch.randn(3, 2), target)
