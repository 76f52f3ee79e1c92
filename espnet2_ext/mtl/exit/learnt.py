"""A learnt mixture of exits."""

from collections.abc import Mapping

import torch
from torch import Tensor

from espnet2_ext.mtl.exit.abs_exit import AbsExit


class LearntExit(AbsExit):
    """sum_i p_i norm(W_i e_i + b_i) over all exits i, with shares p = softmax(logit), learnt from equal ones.

    Song et al., "Dynamic Restrained Uncertainty Weighting Loss for Multitask Learning of Vocal Expression", 2022,
    choose exits by hand and leave learning them to the future; this is no method of theirs. `norm` is a layer
    normalisation without parameters: W_i cannot make up for a small share, so that the shares tell what a task uses.

    Args:
        sizes: Width of each exit's embedding, by exit.
        width: Common width of the projections, 2 or more (one value normalised is always 0).
    """

    depths: Tensor

    def __init__(self, sizes: Mapping[int, int], width: int) -> None:
        super().__init__()
        self.output_size = width
        self.numbers = tuple(sorted(sizes))
        self.projections = torch.nn.ModuleList(torch.nn.Linear(sizes[number], width) for number in self.numbers)
        self.logit = torch.nn.Parameter(torch.zeros(len(self.numbers)))
        # Exits need not be 1 to N: stored hidden states may hold every second layer. Configuration, not state.
        self.register_buffer("depths", torch.tensor(self.numbers, dtype=torch.float32), persistent=False)

    def shares(self) -> Tensor:
        """Return the share of each exit (N,): positive, with sum 1."""
        return torch.softmax(self.logit, 0)

    def forward(self, encoded: Mapping[int, Tensor]) -> Tensor:
        """Embeddings by exit -> their mixture (B, output_size)."""
        projected = [project(encoded[n]) for n, project in zip(self.numbers, self.projections, strict=True)]
        normed = torch.nn.functional.layer_norm(torch.stack(projected, dim=1), (self.output_size,))
        return (self.shares().unsqueeze(1) * normed).sum(dim=1)

    def stats(self, task: str) -> dict[str, Tensor]:
        """Return the shares `exit_<task>_<number>` and the expected depth `depth_<task>`, sum_i p_i i."""
        shares = self.shares().detach()
        found = {f"exit_{task}_{n}": share for n, share in zip(self.numbers, shares.unbind(), strict=True)}
        return {**found, f"depth_{task}": torch.dot(shares, self.depths.to(shares.dtype))}
