"""Exits: what the encoder gives to the embedding that a task's head takes."""

from collections.abc import Mapping
from typing import Any

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.exit.abs_exit import AbsExit
from espnet2_ext.mtl.exit.abs_pooling import AbsPooling
from espnet2_ext.mtl.exit.attention_pooling import AttentionPooling
from espnet2_ext.mtl.exit.branch_pooling import BranchPooling
from espnet2_ext.mtl.exit.learnt import LearntExit
from espnet2_ext.mtl.exit.mean_pooling import MeanPooling
from espnet2_ext.mtl.registry import build_by_name

POOLINGS: dict[str, type[AbsPooling]] = {
    "mean": MeanPooling,
    "attention": AttentionPooling,
    "branch": BranchPooling,
}


def build_pooling(conf: Mapping[str, Any] | None) -> AbsPooling:
    """Build the pooling that `exit_conf` describes: `pooling`, by default mean, with its options.

    Raises:
        UserError: A name or an option is unknown or impossible.
    """
    if not isinstance(conf, Mapping | None):
        raise UserError(f"exit_conf is a mapping of options, not {conf!r}")
    options = dict(conf or {})
    return build_by_name("pooling", POOLINGS, options.pop("pooling", "mean"), options)


__all__ = [
    "POOLINGS", "AbsExit", "AbsPooling", "AttentionPooling", "BranchPooling", "LearntExit", "MeanPooling",
    "build_pooling",
]  # fmt: skip
