"""Spans of frames or features that are masked while a pretrained encoder is fine-tuned."""

import dataclasses

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class SpanMasks:
    """SpecAugment on what enters the transformer, as wav2vec2 is fine-tuned.

    Of a row of N frames (features) about probability * N lie in spans of one length; spans may overlap. Their number is
    probability * N / span, rounded up or down at random, at least `min_spans`, and at most what fits into the row.

    Source: Park et al., "SpecAugment", 2019; probability 0.05 for both as in Karas et al., "Self-Supervised Attention
    Networks and Uncertainty Loss Weighting for Multi-Task Emotion Recognition on Vocal Bursts", 2022. Lengths and
    least numbers are those of transformers, which counts what fits by the longest row of the batch instead of the row.

    Attributes:
        probability: In [0, 1]; 0 masks nothing.
        span: Frames or features of one span.
        min_spans: Least number of spans of a row that is long enough.
    """

    probability: float
    span: int = 10
    min_spans: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: One is impossible.
        """
        if isinstance(self.probability, bool) or not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"a probability of masks is in [0, 1], not {self.probability}")
        if not isinstance(self.span, int) or self.span < 1:
            raise ValueError(f"a length of masks is a whole number from 1, not {self.span}")
        if not isinstance(self.min_spans, int) or self.min_spans < 0:
            raise ValueError(f"a least number of masks is a whole number from 0, not {self.min_spans}")

    def draw(self, lengths: Tensor, size: int) -> Tensor:
        """Draw masks from torch's random state of the device, without asking the device for a number.

        Args:
            lengths: (B,) valid frames or features of each row.
            size: Frames or features of a row, N.

        Returns:
            (B, N) bool, true where masked.
        """
        device, rows = lengths.device, lengths.size(0)
        starts = (lengths - self.span + 1).clamp(min=0)
        number = torch.floor(self.probability * lengths / self.span + torch.rand(rows, device=device))
        number = number.clamp(min=self.min_spans)
        number = torch.minimum(number, torch.div(lengths, self.span, rounding_mode="floor"))
        number = torch.minimum(number, starts)
        order = torch.rand(rows, size, device=device)
        order = order.masked_fill(torch.arange(size, device=device) >= starts.unsqueeze(1), 2.0)
        rank = order.argsort(dim=1).argsort(dim=1)
        chosen = (rank < number.unsqueeze(1)).float()
        # A frame is masked where one of the last `span` frames, itself included, starts a span.
        padded = torch.nn.functional.pad(chosen, (self.span - 1, 0))
        return torch.nn.functional.max_pool1d(padded, self.span, stride=1) > 0


class InputMasks(torch.nn.Module):
    """Masks of what enters the transformer, in training only: frames become an embedding, features 0.

    Args:
        time: Masks of frames.
        features: Masks of features.
        embedding: (D,) what stands for a masked frame, pretrained; not kept where no frame is ever masked.
    """

    def __init__(self, time: SpanMasks, features: SpanMasks, embedding: Tensor) -> None:
        super().__init__()
        self.time, self.features = time, features
        self.embedding = torch.nn.Parameter(embedding) if time.probability > 0 else None

    def forward(self, x: Tensor, frames: Tensor | None) -> Tensor:
        """(B, T, D), valid frames (B,) or None for all -> (B, T, D)."""
        if not self.training:
            return x
        rows, time, width = x.shape
        if self.embedding is not None:
            lengths = torch.full((rows,), time, device=x.device) if frames is None else frames
            masked = self.time.draw(lengths, time)
            x = torch.where(masked.unsqueeze(2), self.embedding.to(x.dtype), x)
        if self.features.probability > 0:
            masked = self.features.draw(torch.full((rows,), width, device=x.device), width)
            x = x.masked_fill(masked.unsqueeze(1), 0.0)
        return x
