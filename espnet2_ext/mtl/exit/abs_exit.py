"""Interface of exits."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class AbsExit(torch.nn.Module, ABC):
    """Maps what the encoder gives to the embedding that a task's head takes.

    Attributes:
        output_size: Width of that embedding.
    """

    output_size: int

    @abstractmethod
    def forward(self, encoded: Mapping[int, Any]) -> Tensor:
        """Embeddings (B, size of the exit) by exit, or `Frames` by layer, as the class says -> (B, output_size)."""

    def stats(self, task: str) -> dict[str, Tensor]:  # noqa: ARG002 (for exits that learn)
        """Return detached scalars for the log; by default none."""
        return {}
