"""Masks of missing labels for regression losses."""

from contextlib import AbstractContextManager

import torch


def full_precision(tensor: torch.Tensor) -> AbstractContextManager[None]:
    """Context in which mixed precision is off for the device of `tensor`."""
    return torch.autocast(device_type=tensor.device.type, enabled=False)


def widen(tensor: torch.Tensor) -> torch.Tensor:
    """Return float16 and bfloat16 as float32; float32 and float64 stay as they are."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def masked_pair(
    pred: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Replace both sides by 0 where there is no label, before any arithmetic.

    A NaN that is multiplied by a zero mask stays NaN, in the value and in the gradient; one that was never
    selected does neither.

    Args:
        pred: (B, D) predictions.
        target: (B, D) labels; anything, NaN included, where the mask is False.
        mask: (B, D) bool, True where there is a label. None: wherever the target is not NaN.

    Returns:
        Predictions (B, D), labels (B, D), both at least float32, and the mask (B, D).

    Raises:
        ValueError: The shapes differ.
    """
    if pred.shape != target.shape or pred.dim() != 2 or (mask is not None and mask.shape != pred.shape):
        shapes = [tuple(t.shape) for t in (pred, target, mask) if t is not None]
        raise ValueError(f"prediction, target and mask must all be (B, D), not {shapes}")
    if mask is None:
        mask = ~torch.isnan(target)
    pred = widen(pred)
    return torch.where(mask, pred, 0.0), torch.where(mask, target.to(pred.dtype), 0.0), mask


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the labelled rows of values (B, D) that are 0 elsewhere: (D,), 0 for a column without a label."""
    return values.sum(0) / mask.sum(0).clamp(min=1)
