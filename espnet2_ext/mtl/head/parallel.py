"""Heads side by side."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from espnet2_ext.mtl.head.abs_head import AbsHead
from espnet2_ext.mtl.head.classification import ClassificationHead
from espnet2_ext.mtl.head.dimension_chain import DimensionChainHead
from espnet2_ext.mtl.head.regression import RegressionHead
from espnet2_ext.mtl.task_modules import TaskModules
from espnet2_ext.mtl.task_spec import Task


class ParallelHeads(TaskModules):
    """A head for each task, on the task's embedding alone (VANILLA of Karas et al., 2022, section II-A).

    Args:
        tasks: The tasks.
        sizes: Width of each task's embedding.
        hidden_size: See `AbsHead`.
        dropout: See `AbsHead`.
        activation: See `AbsHead`.
        norm: See `AbsHead`.
        dimension_chain: Regression tasks whose dimensions form a chain; see `DimensionChainHead`.

    Raises:
        ValueError: An option is out of its range.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        sizes: Mapping[str, int],
        hidden_size: int = 0,
        dropout: float = 0.0,
        activation: str = "relu",
        norm: str = "none",
        dimension_chain: Sequence[str] = (),
    ) -> None:
        super().__init__()
        regressions = [task.name for task in tasks if not task.is_classification]
        wrong = [name for name in dimension_chain if name not in regressions]
        if isinstance(dimension_chain, str) or wrong:
            raise ValueError(
                f"dimension_chain {dimension_chain!r}: a list of regression tasks ({', '.join(regressions)})"
            )
        conf = {"hidden_size": hidden_size, "dropout": dropout, "activation": activation, "norm": norm}
        for task in tasks:
            self[task.name] = _head_class(task, dimension_chain)(sizes[task.name], task, **conf)

    def forward(
        self, embeddings: Mapping[str, Tensor], targets: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Run all heads.

        Args:
            embeddings: (B, size) by task.
            targets: While training, the tasks' targets as batches have them; None: heads feed on their own outputs.

        Returns:
            Raw outputs (B, n_outputs) by task.
        """
        truths = self.truths(targets)
        return {name: self.output(name, embeddings[name], truths.get(name)) for name in self}

    def truths(self, targets: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """Targets -> what chains feed on, (B, n_outputs) by task, NaN where missing."""
        return {} if targets is None else {name: head.truth(targets[name]) for name, head in self.items()}

    def output(self, name: str, embedding: Tensor, truth: Tensor | None) -> Tensor:
        """(B, size) -> raw outputs (B, n_outputs) of one task."""
        head = self[name]
        return head(embedding, truth) if isinstance(head, DimensionChainHead) else head(embedding)

    def on_epoch_end(self) -> None:
        """Move what goes by epochs: nothing here."""

    def stats(self) -> dict[str, Tensor]:
        """Numbers to log: none here."""
        return {}


def _head_class(task: Task, dimension_chain: Sequence[str]) -> type[AbsHead]:
    if task.is_classification:
        return ClassificationHead
    return DimensionChainHead if task.name in dimension_chain else RegressionHead
