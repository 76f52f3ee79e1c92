"""Where a task leaves the encoder: one exit, or a learnt mixture of all."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import AbsEncoder
from espnet2_ext.mtl.task import LEARNT, Task


class AbsExit(torch.nn.Module, ABC):
    """Maps the encoder's embeddings to the one that a task's head takes.

    Attributes:
        output_size: Width of that embedding.
    """

    output_size: int

    @abstractmethod
    def forward(self, embeddings: Mapping[int, Tensor]) -> Tensor:
        """Embeddings (B, size of the exit) by exit -> (B, output_size)."""

    def stats(self, task: str) -> dict[str, Tensor]:  # noqa: ARG002 (for exits that learn)
        """Return detached scalars for the log; by default none."""
        return {}


class FixedExit(AbsExit):
    """One exit.

    Args:
        number: The exit, from 1.
        output_size: Width of its embedding.
    """

    def __init__(self, number: int, output_size: int) -> None:
        super().__init__()
        self.number, self.output_size = number, output_size

    def forward(self, embeddings: Mapping[int, Tensor]) -> Tensor:
        """Embeddings by exit -> that of the exit, (B, output_size)."""
        return embeddings[self.number]


class LearntExit(AbsExit):
    """sum_i p_i norm(W_i e_i + b_i) over all exits i, with shares p = softmax(logit), learnt from equal ones.

    Song et al., "Dynamic Restrained Uncertainty Weighting Loss for Multitask Learning of Vocal Expression", 2022,
    choose exits by hand and leave learning them to the future; this is no method of theirs. `norm` is a layer
    normalisation without parameters: W_i cannot make up for a small share, so that the shares tell what a task uses.

    Args:
        sizes: Width of each exit's embedding, by exit.
        width: Common width of the projections, 2 or more (one value normalised is always 0).

    Raises:
        ValueError: The width is too small.
    """

    def __init__(self, sizes: Mapping[int, int], width: int) -> None:
        super().__init__()
        if width < 2:
            raise ValueError(f"exit_width {width}: give 2 or more")
        self.output_size = width
        self.numbers = tuple(sorted(sizes))
        self.projections = torch.nn.ModuleList(torch.nn.Linear(sizes[number], width) for number in self.numbers)
        self.logit = torch.nn.Parameter(torch.zeros(len(self.numbers)))

    def shares(self) -> Tensor:
        """Return the share of each exit (N,): positive, with sum 1."""
        return torch.softmax(self.logit, 0)

    def forward(self, embeddings: Mapping[int, Tensor]) -> Tensor:
        """Embeddings by exit -> their mixture (B, output_size)."""
        projected = [project(embeddings[n]) for n, project in zip(self.numbers, self.projections, strict=True)]
        normed = torch.nn.functional.layer_norm(torch.stack(projected, dim=1), (self.output_size,))
        return (self.shares().unsqueeze(1) * normed).sum(dim=1)

    def stats(self, task: str) -> dict[str, Tensor]:
        """Return the shares `exit_<task>_<number>` and the expected depth `depth_<task>`, sum_i p_i i."""
        shares = self.shares().detach()
        found = {f"exit_{task}_{n}": share for n, share in zip(self.numbers, shares.unbind(), strict=True)}
        depths = torch.arange(1, len(shares) + 1, dtype=shares.dtype, device=shares.device)
        return {**found, f"depth_{task}": torch.dot(shares, depths)}


def build_exit(task: Task, encoder: AbsEncoder, width: int) -> AbsExit:
    """Build a task's exit; `width` is that of a mixture.

    Raises:
        UserError: The task learns its exit, and the encoder has but one.
    """
    if task.exit != LEARNT:
        number = task.exit or encoder.exits[-1]
        return FixedExit(number, encoder.output_size(number))
    if len(encoder.exits) < 2:
        raise UserError(f"task {task.name!r}: exit {LEARNT}: this encoder has one exit only; leave out the task's exit")
    return LearntExit({number: encoder.output_size(number) for number in encoder.exits}, width)
