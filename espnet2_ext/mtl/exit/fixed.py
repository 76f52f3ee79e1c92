"""An exit by its number."""

from collections.abc import Mapping

from torch import Tensor

from espnet2_ext.mtl.exit.abs_exit import AbsExit


class FixedExit(AbsExit):
    """One exit.

    Args:
        number: The exit, from 1.
        output_size: Width of its embedding.
    """

    def __init__(self, number: int, output_size: int) -> None:
        super().__init__()
        self.number, self.output_size = number, output_size

    def forward(self, encoded: Mapping[int, Tensor]) -> Tensor:
        """Embeddings by exit -> that of the exit, (B, output_size)."""
        return encoded[self.number]
