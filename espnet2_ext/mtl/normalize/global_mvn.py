"""Mean and variance normalisation by the statistics of the training set."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from espnet2_ext.errors import UserError


class GlobalMVN(torch.nn.Module):
    """(x - mean) / std per bin; mean and std are buffers, so a checkpoint carries them.

    Args:
        input_size: Width D of the features.
        stats_file: `feats_stats.npz` with `count` (frames), `sum` and `sum_square` (D); None when a checkpoint will be
            loaded.
        eps: Smallest standard deviation.

    Raises:
        UserError: The file is unreadable, empty or of another width.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, input_size: int, stats_file: str | Path | None = None, eps: float = 1e-5) -> None:
        super().__init__()
        mean, std = np.zeros(input_size), np.ones(input_size)
        if stats_file is not None:
            mean, std = read_feature_stats(stats_file, input_size, eps)
        self.register_buffer("mean", torch.from_numpy(mean).float())
        self.register_buffer("std", torch.from_numpy(std).float())

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Tensor:  # noqa: ARG002 (one interface)
        """(B, T, D) -> (B, T, D)."""
        return (feats - self.mean) / self.std


def read_feature_stats(path: str | Path, input_size: int, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation (D,) of a statistics file.

    Raises:
        UserError: As GlobalMVN.
    """
    try:
        with np.load(path, allow_pickle=False) as stats:
            count, total, square = (np.asarray(stats[key], dtype=np.float64) for key in ("count", "sum", "sum_square"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a feature statistics file; run stage 5 again: {error}") from error
    if total.shape != (input_size,) or square.shape != (input_size,):
        raise UserError(f"{path}: statistics of {total.size} bins for features of {input_size}; run stage 5 again")
    if not count > 0:
        raise UserError(f"{path}: statistics of no frame; run stage 5 again")
    mean = total / count
    return mean, np.sqrt(np.maximum(square / count - mean**2, eps**2))
