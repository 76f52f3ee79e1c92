"""Interface of encoders that give frames too."""

from abc import abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.abs_encoder import AbsEncoder
from espnet2_ext.mtl.encoder.conv_block import frame_mask


class Frames(NamedTuple):
    """Output of a layer, frame by frame.

    Attributes:
        x: (B, T, D). Frames past the length mean nothing.
        lengths: (B,) valid frames, one at least; None: all.
    """

    x: Tensor
    lengths: Tensor | None


class AbsFrameEncoder(AbsEncoder):
    """An encoder that gives the frames of its layers, for poolings that look at frames.

    Attributes:
        one_rate: Whether all layers have the same frames; else deeper ones may have fewer.
    """

    one_rate = True

    @abstractmethod
    def frame_size(self, layer: int) -> int:
        """Width of a layer's frames; 0 is what enters the first layer.

        Raises:
            ValueError: The encoder has no such layer.
        """

    @abstractmethod
    def frames(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Frames]:
        """Encode frame by frame.

        Args:
            feats: (B, T, D) features.
            lengths: (B,) valid frames of each utterance, or None when all T are valid.

        Returns:
            By layer: those in `exits` at least, and 0 where the encoder has it.
        """

    def drop_pooling(self) -> None:
        """Drop what only embeddings take, where frames alone will be used, so that no parameter is left out of a step.

        By default there is nothing to drop. `forward` may not be called afterwards.
        """

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile `forward`, as any module does, and `frames`."""
        super().compile(*args, **kwargs)
        self.frames = torch.compile(self.frames, *args, **kwargs)


def last_frame(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, T, D), valid frames (B,), one at least, or None for all -> the last valid one (B, D)."""
    if lengths is None:
        return x[:, -1]
    return x[torch.arange(x.size(0), device=x.device), lengths - 1]


def mean_frames(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, T, D), valid frames (B,) or None for all -> (B, D)."""
    if lengths is None:
        return x.mean(dim=1)
    mask = frame_mask(lengths, x.size(1)).unsqueeze(2)
    return x.masked_fill(~mask, 0.0).sum(dim=1) / lengths.unsqueeze(1)
