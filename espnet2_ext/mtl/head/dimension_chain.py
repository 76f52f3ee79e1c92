"""Head of a regression task whose dimensions form a chain."""

from typing import Any

import torch
from torch import Tensor

from espnet2_ext.mtl.head.regression import RegressionHead
from espnet2_ext.mtl.task_spec import Task


class DimensionChainHead(RegressionHead):
    """Each dimension takes the dimensions before it: y_d = f(w_d h + sum_{j<d} m_dj y_j).

    h is the embedding or the hidden layer, f the task's activation, y as the loss takes it. While training y_j are the
    labels, where there are any, else the head's own outputs, through which no gradient flows.

    Source: chains over the emotions, as Xin et al., "Exploring the effectiveness of self-supervised learning and
    classifier chains in emotion recognition of nonverbal vocalizations", 2022. Theirs is a network for each emotion;
    here the dimensions share all but the output layer, which makes 40 of them affordable. Their order is that of
    tasks.yaml.

    Args:
        input_size: Width of the embedding.
        task: The task.
        **conf: As `AbsHead`.
    """

    def __init__(self, input_size: int, task: Task, **conf: Any) -> None:
        super().__init__(input_size, task, **conf)
        self.earlier = torch.nn.Parameter(torch.zeros(task.n_outputs, task.n_outputs))

    def forward(self, embedding: Tensor, truth: Tensor | None = None) -> Tensor:
        """(B, input_size) -> (B, D).

        Args:
            embedding: (B, input_size).
            truth: (B, D) labels as the loss takes them, NaN where the head's own output takes their place; None: all.
        """
        own = self.layers(embedding)
        outputs: list[Tensor] = []
        fed: list[Tensor] = []
        for d in range(self.n_outputs):
            output = own[:, d]
            if fed:
                output = output + torch.stack(fed, dim=1).to(own.dtype) @ self.earlier[d, :d].to(own.dtype)
            output = self.activate(output)
            outputs.append(output)
            fed.append(take_truth(output, None if truth is None else truth[:, d]))
        return torch.stack(outputs, dim=1)


def take_truth(output: Tensor, truth: Tensor | None) -> Tensor:
    """Labels where there are any (not NaN), else outputs without gradient; of one shape."""
    output = output.detach()
    return output if truth is None else torch.where(truth.isnan(), output, truth.to(output.dtype))
