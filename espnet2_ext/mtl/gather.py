"""Collect rows of all ranks, with gradient.

Batch statistics (CCC, weights from history) need the whole global batch. Every rank then computes the same loss of all
rows; DistributedDataParallel averages the gradients over ranks, which gives exactly the gradient of one rank with the
same global batch.
"""

from collections.abc import Mapping

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as dist_nn
from torch import Tensor

from espnet2_ext.mtl.loss.masking import widen


def is_distributed() -> bool:
    """Whether more than one rank takes part."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def gather_rows(rows: Tensor, counts: list[int] | None = None) -> Tensor:
    """Concatenate the rows of all ranks, rank by rank.

    Args:
        rows: (B, ...) of this rank; B may differ between ranks.
        counts: B of every rank, where it is known; saves one collective.

    Returns:
        (sum of B, ...). The gradient of every rank's rows is the sum over the ranks' losses.
    """
    if not is_distributed():
        return rows
    if counts is None:
        counts = row_counts(rows.size(0), rows.device)
    longest = max(counts)
    if rows.size(0) < longest:
        padding = rows.new_zeros((longest - rows.size(0), *rows.shape[1:]))
        rows = torch.cat([rows, padding])
    if rows.requires_grad:
        parts = list(dist_nn.all_gather(rows.contiguous()))
    else:
        parts = [torch.empty_like(rows) for _ in counts]
        dist.all_gather(parts, rows.contiguous())
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def row_counts(count: int, device: torch.device) -> list[int]:
    """Return the number of rows of every rank."""
    if not is_distributed():
        return [count]
    counts = [torch.zeros(1, dtype=torch.long, device=device) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, torch.tensor([count], dtype=torch.long, device=device))
    return torch.cat(counts).tolist()


def gather_batch(
    outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], equal_rows: bool
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Gather outputs (B, D), with gradient, and targets of all ranks, each by name.

    Args:
        outputs: By any names.
        targets: By task.
        equal_rows: Whether all ranks have the same number of rows; else they are asked.
    """
    rows = next(iter(outputs.values()))
    counts = [rows.size(0)] * dist.get_world_size() if equal_rows else row_counts(rows.size(0), rows.device)
    return _gather_outputs(outputs, counts), _gather_targets(targets, counts)


def _gather_outputs(outputs: Mapping[str, Tensor], counts: list[int]) -> dict[str, Tensor]:
    """One collective for all tasks."""
    names = list(outputs)
    widths = [outputs[name].size(1) for name in names]
    rows = gather_rows(torch.cat([widen(outputs[name]) for name in names], dim=1), counts)
    return dict(zip(names, rows.split(widths, dim=1), strict=True))


def _gather_targets(targets: Mapping[str, Tensor], counts: list[int]) -> dict[str, Tensor]:
    """One collective for all tasks; float64 holds class numbers and float targets exactly."""
    columns = [target.double() if target.dim() == 2 else target.double().unsqueeze(1) for target in targets.values()]
    rows = gather_rows(torch.cat(columns, dim=1), counts)
    parts = rows.split([column.size(1) for column in columns], dim=1)
    return {
        name: (part if target.dim() == 2 else part.squeeze(1)).to(target.dtype)
        for (name, target), part in zip(targets.items(), parts, strict=True)
    }
