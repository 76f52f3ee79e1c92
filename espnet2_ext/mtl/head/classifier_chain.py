"""Heads in a chain."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.head.dimension_chain import take_truth
from espnet2_ext.mtl.head.parallel import ParallelHeads
from espnet2_ext.mtl.schedule import build_schedule
from espnet2_ext.mtl.task_spec import Task


class ClassifierChain(ParallelHeads):
    """Each task's head takes its embedding and what all earlier tasks gave (CHAIN of Karas et al., 2022, section II-B).

    While training earlier tasks give their labels, otherwise their outputs: probabilities of classes, values of
    regressions as their losses take them. A task or dimension without a label gives its own output then, through which
    no gradient flows; the paper has no missing labels.

    Beyond the paper, scheduled sampling (Bengio et al., 2015): with probability 1 - p a row takes the outputs of an
    earlier task for its labels, p going by epochs.

    Args:
        tasks: The tasks.
        sizes: Width of each task's embedding.
        order: The tasks' names in the order of the chain; default: that of `tasks`.
        ground_truth: Probability p of the labels: a number in [0, 1], or `{start: 1, end: 0.5, epochs: 10}` with a
            `shape`; see `Schedule`.
        hidden_size: See `AbsHead`.
        dropout: See `AbsHead`.
        activation: See `AbsHead`.
        norm: See `AbsHead`.
        dimension_chain: See `ParallelHeads`; chains of dimensions feed on the same labels as the chain of tasks.

    Raises:
        UserError: `order` is not exactly the tasks, or `ground_truth` is out of its range.
    """

    epochs_done: Tensor

    def __init__(
        self,
        tasks: Sequence[Task],
        sizes: Mapping[str, int],
        order: Sequence[str] | None = None,
        ground_truth: float | Mapping[str, Any] = 1.0,
        hidden_size: int = 0,
        dropout: float = 0.0,
        activation: str = "relu",
        norm: str = "none",
        dimension_chain: Sequence[str] = (),
    ) -> None:
        by_name = {task.name: task for task in tasks}
        if order is not None and (isinstance(order, str) or sorted(order) != sorted(by_name)):
            raise UserError(f"head_conf: order {order!r} is not a list of exactly the tasks {', '.join(by_name)}")
        chain = tuple(by_name if order is None else order)
        widths, earlier = {}, 0
        for name in chain:
            widths[name] = sizes[name] + earlier
            earlier += by_name[name].n_outputs
        super().__init__(tasks, widths, hidden_size, dropout, activation, norm, dimension_chain)
        self.order = chain
        self.schedule = build_schedule("head_conf: ground_truth", ground_truth)
        # In the checkpoint: a resumed training goes on with the probability of its epoch.
        self.register_buffer("epochs_done", torch.zeros(()))

    def forward(
        self, embeddings: Mapping[str, Tensor], targets: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Run the heads in their order; see the base class."""
        truths = self.truths(targets)
        outputs: dict[str, Tensor] = {}
        fed: list[Tensor] = []
        for name in self.order:
            embedding = embeddings[name]
            truth = truths.get(name)
            outputs[name] = self.output(name, torch.cat([embedding, *fed], dim=1), truth)
            fed.append(take_truth(self[name].fed_on(outputs[name]), truth).to(embedding.dtype))
        return {name: outputs[name] for name in self}

    def truths(self, targets: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """As the base class, NaN also in rows that are drawn to feed on outputs."""
        truths = super().truths(targets)
        if self.schedule.start == self.schedule.end == 1.0:
            return truths
        p = self.ground_truth()
        return {
            name: truth.masked_fill(torch.rand(truth.size(0), 1, device=truth.device) >= p, torch.nan)
            for name, truth in truths.items()
        }

    def ground_truth(self) -> Tensor:
        """Probability of feeding on labels in this epoch, ()."""
        return self.schedule.value(self.epochs_done)

    def on_epoch_end(self) -> None:
        """Count the epoch."""
        self.epochs_done += 1.0

    def stats(self) -> dict[str, Tensor]:
        """Return `ground_truth`, the probability."""
        return {"ground_truth": self.ground_truth()}
