"""An exit whose frames the task weighs itself."""

from collections.abc import Mapping

from torch import Tensor

from espnet2_ext.mtl.encoder.abs_frame_encoder import Frames
from espnet2_ext.mtl.exit.abs_exit import AbsExit
from espnet2_ext.mtl.exit.frame_attention import FrameAttention


class AttentionExit(AbsExit):
    """The frames of one layer, weighted by an attention of the task.

    Args:
        number: The layer, from 1.
        size: Width of its frames.
    """

    def __init__(self, number: int, size: int) -> None:
        super().__init__()
        self.number, self.output_size = number, size
        self.attention = FrameAttention(size)

    def forward(self, encoded: Mapping[int, Frames]) -> Tensor:
        """Frames by layer -> (B, output_size)."""
        return self.attention(encoded[self.number])
