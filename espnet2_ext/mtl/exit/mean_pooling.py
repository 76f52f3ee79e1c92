"""The encoder's own embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import AbsEncoder
from espnet2_ext.mtl.exit.abs_exit import AbsExit
from espnet2_ext.mtl.exit.abs_pooling import AbsPooling
from espnet2_ext.mtl.exit.fixed import FixedExit
from espnet2_ext.mtl.exit.learnt import LearntExit
from espnet2_ext.mtl.option_values import whole_number
from espnet2_ext.mtl.task import LEARNT, Task


@dataclass(frozen=True)
class MeanPooling(AbsPooling):
    """Each task takes its exit's embedding, as the encoder pools it, or a learnt mixture of all exits.

    Attributes:
        width: Width of a mixture; see `LearntExit`.

    Raises:
        UserError: The width is too small.
    """

    width: int = 128
    takes_frames = False

    def __post_init__(self) -> None:
        whole_number("exit_conf: width", self.width, 2)

    def build(self, tasks: Sequence[Task], encoder: AbsEncoder) -> tuple[torch.nn.Module, dict[str, AbsExit]]:
        """See `AbsPooling`.

        Raises:
            UserError: A task learns its exit, and the encoder has but one.
        """
        sizes = {number: encoder.output_size(number) for number in encoder.exits}
        exits: dict[str, AbsExit] = {}
        for task in tasks:
            if task.exit != LEARNT:
                number = task.exit or encoder.exits[-1]
                exits[task.name] = FixedExit(number, sizes[number])
            elif len(sizes) > 1:
                exits[task.name] = LearntExit(sizes, self.width)
            else:
                raise UserError(
                    f"task {task.name!r}: exit {LEARNT}: this encoder has one exit only; leave out the task's exit"
                )
        return torch.nn.Identity(), exits
