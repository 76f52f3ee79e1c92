"""Head of a regression task."""

from typing import Any

import torch
from torch import Tensor

from espnet2_ext.mtl.head.abs_head import AbsHead
from espnet2_ext.mtl.task_spec import Task


class RegressionHead(AbsHead):
    """Linear output layer, with a sigmoid where the task says so.

    A task with `normalise` is learnt in standardised targets; `target_mean` and `target_std` (dimensions of the
    training set, in the task's unit) are buffers, so a checkpoint carries them. Arguments are those of `AbsHead`.
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(self, input_size: int, task: Task, **conf: Any) -> None:
        super().__init__(input_size, task, **conf)
        self.sigmoid = task.activation == "sigmoid"
        self.register_buffer("target_mean", torch.zeros(task.n_outputs))
        self.register_buffer("target_std", torch.ones(task.n_outputs))

    def forward(self, embedding: Tensor) -> Tensor:
        """(B, input_size) -> (B, D), in [0, 1] with a sigmoid."""
        return self.activate(self.layers(embedding))

    def activate(self, output: Tensor) -> Tensor:
        """Outputs of the last layer -> what the loss takes."""
        return torch.sigmoid(output) if self.sigmoid else output

    def report(self, output: Tensor) -> Tensor:
        """(B, D) -> (B, D) in the task's unit."""
        return output * self.target_std + self.target_mean

    def standardise(self, target: Tensor) -> Tensor:
        """Targets (B, D) in the task's unit -> as the loss takes them; NaN stays NaN."""
        return (target - self.target_mean) / self.target_std

    def fed_on(self, output: Tensor) -> Tensor:
        """(B, D) -> (B, D): as they are."""
        return output

    def truth(self, target: Tensor) -> Tensor:
        """Targets (B, D) in the task's unit -> (B, D) as the loss takes them; NaN where missing."""
        return self.standardise(target)
