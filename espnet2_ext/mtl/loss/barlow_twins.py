"""Barlow Twins loss between the embeddings of two views."""

import torch
from torch import Tensor

from espnet2_ext.mtl.loss.masking import full_precision, widen

# What the source's batch normalisation of the embeddings adds to a variance.
_EPS = 1e-5


def barlow_twins_loss(one: Tensor, two: Tensor, off_diagonal_weight: float = 0.001) -> Tensor:
    """sum_i (1 - C_ii)^2 + lambda sum_i sum_{j != i} C_ij^2, C the cross-correlation matrix over the batch.

    Source: Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", 2021, equations 1 and 2,
    and its code, which standardises each dimension over the batch (population moments, 1e-5 added to the variance).
    Jing et al., "Redundancy Reduction Twins Network", 2022, equation 3, print C without the squares under the roots:
    a misprint. In float32 or better, also under mixed precision; a dimension that is constant correlates with nothing.

    Args:
        one: (B, D) embeddings of the first view, of all ranks.
        two: (B, D) embeddings of the second view, row by row of the same utterances.
        off_diagonal_weight: lambda >= 0; 0.001 in Jing et al., 0.005 in Zbontar et al.

    Returns:
        () loss >= 0; 0 where the views agree and their dimensions do not correlate (1e-5 apart in the variance).

    Raises:
        ValueError: The shapes differ.
    """
    if one.shape != two.shape or one.dim() != 2:
        raise ValueError(f"embeddings of two views must both be (B, D), not {tuple(one.shape)} and {tuple(two.shape)}")
    with full_precision(one):
        correlation = _standardise(widen(one)).T @ _standardise(widen(two)) / one.size(0)
        diagonal = correlation.diagonal()
        # Subtracted before squaring: a difference of sums would lose the small off-diagonal part in float32.
        redundancy = (correlation - torch.diag(diagonal)).square().sum()
        return (1 - diagonal).square().sum() + off_diagonal_weight * redundancy


def _standardise(embeddings: Tensor) -> Tensor:
    """(B, D) -> (B, D) with mean 0 and deviation 1 of each dimension."""
    centred = embeddings - embeddings.mean(dim=0)
    return centred * (centred.square().mean(dim=0) + _EPS).rsqrt()
