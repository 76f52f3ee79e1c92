"""Collect rows of all ranks, with gradient.

Batch statistics (CCC, weights from history) need the whole global batch. Every rank then computes the same loss of all
rows; DistributedDataParallel averages the gradients over ranks, which gives exactly the gradient of one rank with the
same global batch.
"""

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as dist_nn
from torch import Tensor


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
