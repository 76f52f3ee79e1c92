"""Unweighted losses of a batch: of each dimension, and their means by task."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from espnet2_ext.mtl.head import AbsHead, RegressionHead
from espnet2_ext.mtl.loss import AbsLoss
from espnet2_ext.mtl.task_spec import Task


class DimensionLosses(NamedTuple):
    """Losses of one task.

    Attributes:
        values: (D,) by dimension of a regression, (1,) of a classification; 0 without a label.
        labelled: (D,) or (1,) bool, which of them have a label in the batch.
    """

    values: Tensor
    labelled: Tensor


class BatchLosses(NamedTuple):
    """Unweighted losses of a batch, of all ranks while training.

    Attributes:
        by_task: K scalars by name, in the weighting's order: means over the labelled dimensions.
        present: (K,) bool, which of them have a label.
        rows: Rows that they are of.
        by_dimension: Of each task; empty where nothing asks for them.
    """

    by_task: dict[str, Tensor]
    present: Tensor
    rows: int
    by_dimension: Mapping[str, DimensionLosses]


def dimension_losses(task: Task, loss: AbsLoss, head: AbsHead, output: Tensor, target: Tensor) -> DimensionLosses:
    """Raw outputs (B, n_outputs) and targets of a task as `ESPnetMTLModel.forward` takes them -> its losses."""
    mask = _label_mask(task, target)
    values = loss(at_least_float32(output), _loss_target(head, task, target), mask)
    return DimensionLosses(values, mask.any(dim=0, keepdim=task.is_classification))


def mean_losses(by_dimension: Mapping[str, DimensionLosses]) -> tuple[dict[str, Tensor], Tensor]:
    """Each task's mean over its labelled dimensions, 0 without any, and which tasks have a label (K,)."""
    losses, present = {}, []
    for name, (values, labelled) in by_dimension.items():
        count = labelled.to(values.dtype)
        losses[name] = (values * count).sum() / count.sum().clamp(min=1.0)
        present.append(labelled.any())
    return losses, torch.stack(present)


def loss_stats(losses: Mapping[str, Tensor], weights: Mapping[str, Tensor], present: Tensor) -> dict[str, Tensor]:
    """`loss_<name>` and `weight_<name>`: scalars () without gradient, NaN without a label; `present` is (K,) bool.

    A weight of 0 instead would enter the epoch's mean, and make a task with few labels look less weighted than it is.
    """
    stats = {}
    for index, (name, loss) in enumerate(losses.items()):
        stats[f"loss_{name}"] = torch.where(present[index], loss.detach(), torch.nan)
        stats[f"weight_{name}"] = torch.where(present[index], weights[name].detach(), torch.nan)
    return stats


def at_least_float32(x: Tensor) -> Tensor:
    """Return half precision as float32, all else as it is."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _loss_target(head: AbsHead, task: Task, target: Tensor) -> Tensor:
    """Target in the task's unit, or classes -> as the loss takes it."""
    if not isinstance(head, RegressionHead):
        return target
    target = at_least_float32(target)
    return head.standardise(target) if task.normalise else target


def _label_mask(task: Task, target: Tensor) -> Tensor:
    """True where there is a label: (B, D) of a regression, (B,) of a classification."""
    if not task.is_classification:
        return ~target.isnan()
    return ~target.isnan().any(dim=1) if target.is_floating_point() else target >= 0
