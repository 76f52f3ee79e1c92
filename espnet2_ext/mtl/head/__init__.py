"""Heads: embeddings to the tasks' outputs."""

from espnet2_ext.mtl.head.abs_head import AbsHead
from espnet2_ext.mtl.head.classification import ClassificationHead
from espnet2_ext.mtl.head.classifier_chain import ClassifierChain
from espnet2_ext.mtl.head.dimension_chain import DimensionChainHead
from espnet2_ext.mtl.head.parallel import ParallelHeads
from espnet2_ext.mtl.head.regression import RegressionHead

HEADS: dict[str, type[ParallelHeads]] = {"parallel": ParallelHeads, "chain": ClassifierChain}

__all__ = [
    "HEADS", "AbsHead", "ClassificationHead", "ClassifierChain", "DimensionChainHead", "ParallelHeads",
    "RegressionHead",
]  # fmt: skip
