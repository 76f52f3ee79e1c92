"""Cross entropy over classes."""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.loss.abs_loss import AbsLoss
from espnet2_ext.mtl.loss.masking import full_precision, widen

_IGNORED = -100  # what torch's own cross entropy skips


def cross_entropy_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    mask: torch.Tensor | None = None,
    class_weights: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Cross entropy averaged over the labelled rows as torch does: divided by the sum of their class weights.

    Equals `torch.nn.functional.cross_entropy` on the labelled rows, in float32 or better. Deviation: torch divides by
    the number of rows where targets are probabilities, so class weights would change the loss of labels that happen to
    be given as probabilities; here the sum is that of each row's mean class weight, and a row that is certain of its
    class counts as that class does.

    Args:
        logits: (B, C) scores before the softmax.
        target: (B,) int64 class indices in [0, C), or (B, C) probabilities.
        mask: (B,) bool, True where there is a label. None: wherever the target is not -1, or not NaN.
        class_weights: (C,) weights >= 0. None: 1 each.
        label_smoothing: In [0, 1): mass that is spread evenly over the classes.

    Returns:
        (1,) loss >= 0 in nats; 0 with zero gradient where no row has a label.

    Raises:
        ValueError: The shapes differ.
    """
    soft = target.is_floating_point()
    if logits.dim() != 2 or target.shape != (logits.shape if soft else logits.shape[:1]):
        raise ValueError(
            f"logits {tuple(logits.shape)} and target {tuple(target.shape)} must be (B, C), and (B,) indices or (B, C)"
        )
    with full_precision(logits):
        if mask is None:
            mask = ~target.isnan().any(dim=1) if soft else target != -1
        # Selected before the softmax, or a NaN in a row without label would reach the gradient of that row.
        logits = torch.where(mask.unsqueeze(1), widen(logits), 0.0)
        weights = None if class_weights is None else class_weights.to(logits.dtype)
        if soft:
            target = torch.where(mask.unsqueeze(1), target.to(logits.dtype), 0.0)
            # Smoothed here: torch would spread mass over the rows without a label too.
            spread = label_smoothing / logits.size(1)
            smoothed = torch.where(mask.unsqueeze(1), target * (1 - label_smoothing) + spread, 0.0)
            summed = functional.cross_entropy(logits, smoothed, weight=weights, reduction="sum")
            mass = (target if weights is None else target * weights).sum()
        else:
            summed = functional.cross_entropy(
                logits,
                torch.where(mask, target, _IGNORED),
                weight=weights,
                ignore_index=_IGNORED,
                reduction="sum",
                label_smoothing=label_smoothing,
            )
            mass = mask.sum() if weights is None else (weights[torch.where(mask, target, 0)] * mask).sum()
        return (torch.where(mass > 0, summed, 0.0) / torch.where(mass > 0, mass, 1)).unsqueeze(0)


class CrossEntropyLoss(AbsLoss):
    """Cross entropy; see `cross_entropy_loss`.

    Args:
        class_weights: One weight per class in the order of the task's classes, finite and >= 0, not all 0.
        label_smoothing: In [0, 1).

    Raises:
        UserError: An option is out of its range.
    """

    def __init__(
        self, class_weights: Sequence[float] | torch.Tensor | None = None, label_smoothing: float = 0.0
    ) -> None:
        super().__init__()
        if isinstance(label_smoothing, str) or not 0 <= label_smoothing < 1:
            raise UserError(f"loss cross_entropy: label_smoothing must be in [0, 1), not {label_smoothing}")
        self.label_smoothing = float(label_smoothing)
        weights = None if class_weights is None else _checked_weights(class_weights)
        # They come from the configuration or the training set, so a checkpoint need not carry them.
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return `cross_entropy_loss` of logits (B, C) and classes (B,) or (B, C), (1,)."""
        return cross_entropy_loss(prediction, target, mask, self.class_weights, self.label_smoothing)


def _checked_weights(class_weights: Sequence[float] | torch.Tensor) -> torch.Tensor:
    """Return the class weights as float32 (C,), or raise UserError."""
    try:
        values = [float(weight) for weight in class_weights]
    except (TypeError, ValueError) as error:
        raise UserError(f"loss cross_entropy: class_weights must be numbers, not {class_weights!r}") from error
    if not all(math.isfinite(weight) and weight >= 0 for weight in values) or not sum(values):
        raise UserError(f"loss cross_entropy: class_weights must be finite, >= 0 and not all 0, not {values}")
    return torch.tensor(values, dtype=torch.float32)
