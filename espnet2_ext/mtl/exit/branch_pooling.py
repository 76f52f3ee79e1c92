"""A branch for each task along the layers of the encoder."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import AbsEncoder
from espnet2_ext.mtl.exit.abs_exit import AbsExit
from espnet2_ext.mtl.exit.abs_pooling import AbsPooling, frame_encoder
from espnet2_ext.mtl.exit.branch_exit import BranchExit
from espnet2_ext.mtl.exit.layer_projections import LayerProjections
from espnet2_ext.mtl.option_values import fraction, whole_number
from espnet2_ext.mtl.task import LEARNT, Task


@dataclass(frozen=True)
class BranchPooling(AbsPooling):
    """Attention along several layers (BRANCH of Karas et al., 2022); see `LayerProjections` and `BranchExit`.

    Tasks share the projections, as in the published code, whose size and dropout are the defaults.

    Attributes:
        layers: The layers, ascending, two at least; 0 is what enters the first. None: every second from the encoder's
            last one down, which is the published code's 2, 4, ..., 12 of 12 layers.
        size: Width of all frames in the branches.
        n_heads: Heads of each attention; divides `size`.
        dropout: Dropout of the projections and of the attention's weights.

    Raises:
        UserError: An option is impossible.
    """

    layers: Sequence[int] | None = None
    size: int = 256
    n_heads: int = 8
    dropout: float = 0.3

    def __post_init__(self) -> None:
        whole_number("exit_conf: size", self.size, 1)
        whole_number("exit_conf: n_heads", self.n_heads, 1)
        fraction("exit_conf: dropout", self.dropout)
        if self.size % self.n_heads:
            raise UserError(f"exit_conf: size {self.size} is no multiple of n_heads {self.n_heads}")
        if self.layers is not None and not _ascending(self.layers):
            raise UserError(f"exit_conf: layers {self.layers!r}: give two layers or more, ascending from 0")

    def encoder_exits(self, tasks: Sequence[Task]) -> list[int | str | None]:
        """See `AbsPooling`; the exits are the layers, for all tasks.

        Raises:
            UserError: A task has an exit of its own, which would do nothing.
        """
        for task in tasks:
            if task.exit is not None:
                raise UserError(
                    f"task {task.name!r}: exit {task.exit} does nothing with pooling branch, whose layers stand in "
                    f"exit_conf; leave it out, or set task_exits: {{{task.name}: null}}"
                )
        return [LEARNT] if self.layers is None else [layer for layer in self.layers if layer > 0]

    def build(self, tasks: Sequence[Task], encoder: AbsEncoder) -> tuple[torch.nn.Module, dict[str, AbsExit]]:
        """See `AbsPooling`."""
        given = frame_encoder("branch", encoder)
        layers = _every_second(given.exits) if self.layers is None else tuple(self.layers)
        if not given.one_rate:
            raise UserError("exit_conf: pooling branch: the layers of this encoder differ in their frame rate")
        if len(layers) < 2:
            raise UserError(f"exit_conf: layers: this encoder has {len(given.exits)} only; name two, such as [0, 1]")
        try:
            sizes = {layer: given.frame_size(layer) for layer in layers}
        except ValueError as error:
            raise UserError(f"exit_conf: layers {list(layers)}: {error}") from error
        options = (self.size, self.n_heads, self.dropout)
        projections = LayerProjections(sizes, self.size, self.dropout)
        return projections, {task.name: BranchExit(layers, *options) for task in tasks}


def _every_second(exits: Sequence[int]) -> tuple[int, ...]:
    return tuple(layer for layer in exits if (exits[-1] - layer) % 2 == 0)


def _ascending(layers: object) -> bool:
    if not isinstance(layers, list | tuple) or not all(type(layer) is int for layer in layers):
        return False
    return len(layers) > 1 and layers[0] >= 0 and list(layers) == sorted(set(layers))
