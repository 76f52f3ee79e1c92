"""Interface of heads."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from espnet2_ext.mtl.task_spec import Task

ACTIVATIONS: dict[str, type[torch.nn.Module]] = {"relu": torch.nn.ReLU, "gelu": torch.nn.GELU}
NORMS = ("none", "batch")


class AbsHead(torch.nn.Module, ABC):
    """Maps an embedding to a task's raw outputs, and those to what is reported.

    Args:
        input_size: Width of the embedding.
        task: The task.
        hidden_size: Width of a hidden layer before the output layer; 0 for none.
        dropout: Dropout before the output layer.
        activation: Of the hidden layer: `relu` or `gelu`.
        norm: `none`, or `batch`: batch normalisation of the hidden layer, before its activation, and of the outputs.

    Raises:
        ValueError: There is no such activation or norm.
    """

    def __init__(
        self,
        input_size: int,
        task: Task,
        hidden_size: int = 0,
        dropout: float = 0.0,
        activation: str = "relu",
        norm: str = "none",
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS or norm not in NORMS:
            known = f"activation is {' or '.join(ACTIVATIONS)}, norm {' or '.join(NORMS)}"
            raise ValueError(f"activation {activation!r}, norm {norm!r}: {known}")
        layers: list[torch.nn.Module] = []
        if hidden_size > 0:
            layers.append(torch.nn.Linear(input_size, hidden_size))
            layers += [torch.nn.BatchNorm1d(hidden_size)] if norm == "batch" else []
            layers.append(ACTIVATIONS[activation]())
        layers += [torch.nn.Dropout(dropout), torch.nn.Linear(hidden_size or input_size, task.n_outputs)]
        layers += [torch.nn.BatchNorm1d(task.n_outputs)] if norm == "batch" else []
        self.layers = torch.nn.Sequential(*layers)
        self.n_outputs = task.n_outputs

    @abstractmethod
    def forward(self, embedding: Tensor) -> Tensor:
        """(B, input_size) -> (B, n_outputs): what the loss takes."""

    @abstractmethod
    def report(self, output: Tensor) -> Tensor:
        """(B, n_outputs) -> (B, n_outputs): predictions in the task's unit, or class probabilities."""

    @abstractmethod
    def fed_on(self, output: Tensor) -> Tensor:
        """(B, n_outputs) -> (B, n_outputs): outputs as later heads of a chain take them."""

    @abstractmethod
    def truth(self, target: Tensor) -> Tensor:
        """Targets as batches have them -> (B, n_outputs) as `fed_on` gives outputs; NaN where missing."""
