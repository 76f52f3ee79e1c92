"""Interface of heads."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from espnet2_ext.mtl.task_spec import Task


class AbsHead(torch.nn.Module, ABC):
    """Maps an embedding to a task's raw outputs, and those to what is reported.

    Args:
        input_size: Width of the embedding.
        task: The task.
        hidden_size: Width of a hidden layer with ReLU before the output layer; 0 for none.
        dropout: Dropout before the output layer.
    """

    def __init__(self, input_size: int, task: Task, hidden_size: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = []
        if hidden_size > 0:
            layers += [torch.nn.Linear(input_size, hidden_size), torch.nn.ReLU()]
        layers += [torch.nn.Dropout(dropout), torch.nn.Linear(hidden_size or input_size, task.n_outputs)]
        self.layers = torch.nn.Sequential(*layers)

    @abstractmethod
    def forward(self, embedding: Tensor) -> Tensor:
        """(B, input_size) -> (B, n_outputs): what the loss takes."""

    @abstractmethod
    def report(self, output: Tensor) -> Tensor:
        """(B, n_outputs) -> (B, n_outputs): predictions in the task's unit, or class probabilities."""
