"""Attention over the frames of a task's exit."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import AbsEncoder
from espnet2_ext.mtl.exit.abs_exit import AbsExit
from espnet2_ext.mtl.exit.abs_pooling import AbsPooling, frame_encoder
from espnet2_ext.mtl.exit.attention_exit import AttentionExit
from espnet2_ext.mtl.exit.fixed import FixedExit
from espnet2_ext.mtl.exit.shared_attention import SharedAttention
from espnet2_ext.mtl.task import LEARNT, Task


@dataclass(frozen=True)
class AttentionPooling(AbsPooling):
    """Self-attentive pooling over the frames of each task's exit; see `FrameAttention`.

    Source: the published code of Karas et al., 2022: an attention for each task in VANILLA, one for all in CHAIN.

    Attributes:
        shared: Whether tasks that leave at the same layer share one attention.

    Raises:
        UserError: `shared` is no truth value.
    """

    shared: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.shared, bool):
            raise UserError(f"exit_conf: shared is true or false, not {self.shared!r}")

    def encoder_exits(self, tasks: Sequence[Task]) -> list[int | str | None]:
        """See `AbsPooling`.

        Raises:
            UserError: A task learns its exit.
        """
        learning = [task.name for task in tasks if task.exit == LEARNT]
        if learning:
            raise UserError(f"task {learning[0]!r}: exit {LEARNT}: only pooling mean of exit_conf can learn an exit")
        return super().encoder_exits(tasks)

    def build(self, tasks: Sequence[Task], encoder: AbsEncoder) -> tuple[torch.nn.Module, dict[str, AbsExit]]:
        """See `AbsPooling`."""
        given = frame_encoder("attention", encoder)
        sizes = {number: given.frame_size(number) for number in given.exits}
        numbers = {task.name: task.exit or given.exits[-1] for task in tasks}
        if self.shared:
            return SharedAttention(sizes), {name: FixedExit(n, sizes[n]) for name, n in numbers.items()}
        return torch.nn.Identity(), {name: AttentionExit(n, sizes[n]) for name, n in numbers.items()}
