"""Interface of poolings: how tasks come from the encoder to their embeddings."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import ENCODERS, AbsEncoder, AbsFrameEncoder
from espnet2_ext.mtl.exit.abs_exit import AbsExit
from espnet2_ext.mtl.task import Task


class AbsPooling(ABC):
    """Options of a pooling; they tell what the encoder has to give, and build the exits.

    Attributes:
        takes_frames: Whether the exits look at frames, not at the encoder's own embeddings.
    """

    takes_frames = True

    def encoder_exits(self, tasks: Sequence[Task]) -> list[int | str | None]:
        """Return the exits that the encoder is built for, as its argument `exits` has them; by default the tasks'.

        Raises:
            UserError: A task's exit is impossible with this pooling.
        """
        return [task.exit for task in tasks]

    @abstractmethod
    def build(self, tasks: Sequence[Task], encoder: AbsEncoder) -> tuple[torch.nn.Module, dict[str, AbsExit]]:
        """Build what all tasks share behind the encoder (`torch.nn.Identity` for nothing), and each task's exit.

        Raises:
            UserError: The encoder does not give what they need.
        """


def frame_encoder(pooling: str, encoder: AbsEncoder) -> AbsFrameEncoder:
    """Return the encoder, which will be used for its frames alone.

    Raises:
        UserError: It has no frames.
    """
    if not isinstance(encoder, AbsFrameEncoder):
        able = ", ".join(name for name, known in ENCODERS.items() if issubclass(known, AbsFrameEncoder))
        raise UserError(f"exit_conf: pooling {pooling}: this encoder gives no frames; those that do: {able}")
    encoder.drop_pooling()
    return encoder
