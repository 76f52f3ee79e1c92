"""Weights given by the user."""

from collections.abc import Mapping, Sequence

import torch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.weighting.abs_weighting import AbsWeighting, weighted_sum
from espnet2_ext.mtl.weighting.task_state import values_by_task


class StaticWeighting(AbsWeighting):
    """sum_k w_k L_k with fixed w_k.

    Args:
        task_names: The K tasks.
        weights: A weight >= 0 for each task by name, not all 0.

    Raises:
        UserError: The weights do not cover exactly the tasks, or one is out of range.
    """

    def __init__(self, task_names: Sequence[str], weights: Mapping[str, float]) -> None:
        super().__init__(task_names)
        if not isinstance(weights, Mapping):
            raise UserError(f"weights: give a weight for each task by name, not {weights!r}")
        values = values_by_task("weights", weights, self.task_names)
        if min(values) < 0 or max(values) == 0:
            raise UserError(f"weights: must be >= 0 and not all 0, not {dict(weights)}")
        # They are configuration: a checkpoint must not overrule a changed one.
        self.register_buffer("weight", torch.tensor(values, dtype=torch.float32), persistent=False)

    def combine(
        self,
        losses: torch.Tensor,
        present: torch.Tensor | None,  # noqa: ARG002 (absent tasks change no weight here)
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Weigh the losses (K,); see `AbsWeighting.combine`."""
        return weighted_sum(self.weight, losses), self.weight

    def extra_repr(self) -> str:
        """Show the weights."""
        return ", ".join(f"{task}={float(w):g}" for task, w in zip(self.task_names, self.weight, strict=True))
