"""Interface of a loss weighting."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch

from espnet2_ext.mtl.weighting.task_state import TaskState


class AbsWeighting(TaskState, ABC):
    """Combines the losses of K tasks into one.

    A task without a label in the batch contributes neither its loss nor its regulariser (a regulariser alone would
    drive its weight up without end), and gets no gradient. The parameters stay connected to the total all the same,
    so that DistributedDataParallel waits for none in vain. All arithmetic is float32 or better, also under mixed
    precision, and nothing waits for the device.

    Args:
        task_names: The K tasks. Everything is keyed by them; their order does not matter.

    Attributes:
        sums_to_one: Whether the weights sum to 1, as shares do, and not to about K.
        below_zero: Whether the total of losses >= 0 can fall below 0.
    """

    sums_to_one: ClassVar[bool] = False
    below_zero: ClassVar[bool] = False

    @abstractmethod
    def combine(self, losses: torch.Tensor, present: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Weigh the losses.

        Args:
            losses: (K,) losses, 0 for an absent task.
            present: (K,) bool, or None when all tasks are present.

        Returns:
            The total (), to which absent tasks add nothing; and the weights (K,) of all tasks.
        """

    def forward(
        self,
        losses: Mapping[str, torch.Tensor],
        present: torch.Tensor | None = None,
        observed: Mapping[str, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Combine the losses of one batch (of all ranks).

        Args:
            losses: Scalar losses by task name; a task may be left out.
            present: (K,) bool in the order of `task_names`, False for a task without a label. None: all of `losses`.
            observed: The unweighted losses, for histories, where `losses` are combinations that learn themselves.

        Returns:
            The total (), with gradient, and the weights by task name, detached, 0 for an absent task.

        Raises:
            ValueError: A loss of an unknown task, or no loss at all.
        """
        unweighted = None if observed is None else self._stack(observed, present)[0]
        values, present = self._stack(losses, present)
        total, weights = self.weigh(values, present, unweighted)
        return total, self.by_task(weights)

    def weigh(
        self, losses: torch.Tensor, present: torch.Tensor | None, observed: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Combine losses (K,), at least float32, in the order of `task_names`; as `forward`, whose dicts cost more."""
        with torch.autocast(device_type=losses.device.type, enabled=False):
            if present is not None:
                losses = torch.where(present, losses, 0.0)
            total, weights = self.combine(losses, present)
            weights = weights.detach()
            if present is not None:
                weights = torch.where(present, weights, 0.0)
            if self.training:
                self.on_step((losses if observed is None else observed).detach(), present)
        return total, weights

    def on_step(self, losses: torch.Tensor, present: torch.Tensor | None) -> None:
        """Take note of a training step's unweighted losses (K,); by default nothing."""

    def on_epoch_end(self, mean_losses: Mapping[str, float]) -> None:
        """Take note of the epoch's mean unweighted training losses over all ranks; by default nothing.

        Args:
            mean_losses: By task name. A task that is missing or NaN keeps its history.
        """

    def stats(self) -> dict[str, torch.Tensor]:
        """Return detached scalars for the log, beside the weights; by default none."""
        return {}

    def _stack(
        self, losses: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return losses (K,), at least float32, and the mask of present tasks (K,) or None for all."""
        unknown = sorted(set(losses) - set(self.task_names))
        if unknown or not losses:
            raise ValueError(f"losses of {unknown or 'no task'}; the tasks are {', '.join(self.task_names)}")
        first = next(iter(losses.values()))
        absent = None if len(losses) == len(self.task_names) else first.new_zeros(())
        values = torch.stack([losses.get(task, absent) for task in self.task_names])
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        if absent is not None:
            there = torch.ones_like(absent)
            given = torch.stack([there if task in losses else absent for task in self.task_names]).bool()
            present = given if present is None else present & given
        return values, present


def weighted_sum(weights: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Return sum_k w_k L_k, (), for weights (K,) and losses (K,) in the wider of their types."""
    return torch.dot(weights.to(losses.dtype), losses)  # one kernel where product and sum are two
