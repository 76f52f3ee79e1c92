"""Heads: embeddings to a task's outputs."""

from espnet2_ext.mtl.head.abs_head import AbsHead
from espnet2_ext.mtl.head.classification import ClassificationHead
from espnet2_ext.mtl.head.regression import RegressionHead
from espnet2_ext.mtl.task_spec import CLASSIFICATION, REGRESSION, Task

HEADS: dict[str, type[AbsHead]] = {REGRESSION: RegressionHead, CLASSIFICATION: ClassificationHead}


def build_head(input_size: int, task: Task, hidden_size: int = 0, dropout: float = 0.0) -> AbsHead:
    """Build the head that fits the task's type."""
    return HEADS[task.type](input_size, task, hidden_size, dropout)


__all__ = ["HEADS", "AbsHead", "ClassificationHead", "RegressionHead", "build_head"]
