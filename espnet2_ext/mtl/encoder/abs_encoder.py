"""Interface of encoders."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from espnet2_ext.mtl.task import LEARNT


class AbsEncoder(torch.nn.Module, ABC):
    """Maps features to one fixed-size embedding per exit.

    An encoder is built for the exits that its tasks use and holds no layer deeper than the deepest of them, so every
    parameter takes part in every step.

    Attributes:
        exits: The exits in use, ascending, numbered from 1.
        streams: Further inputs that it takes, by name: the frames of the features for one row. None as a rule; an
            encoder that has some takes them as `streams` (see `espnet2_ext.mtl.streams`), each of which may be missing.
        hears: Whether it takes the features themselves, and not their length alone.
    """

    exits: tuple[int, ...]
    streams: Mapping[str, int] = MappingProxyType({})
    hears: bool = True

    @property
    def new_parameters(self) -> tuple[str, ...]:
        """Names of parameters that are not pretrained in an encoder that is: they learn at the heads' rate."""
        return ()

    @abstractmethod
    def output_size(self, exit_number: int) -> int:
        """Width of the embedding that leaves at `exit_number`."""

    @abstractmethod
    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Tensor]:
        """Encode.

        Args:
            feats: (B, T, D) features.
            lengths: (B,) valid frames of each utterance, or None when all T are valid. Frames past the length change
                nothing in evaluation; in training, batch normalisation counts them in its statistics.

        Returns:
            Embeddings (B, output_size(exit)) by exit.
        """


def used_exits(exits: Sequence[int | str | None], n_exits: int) -> tuple[int, ...]:
    """Resolve the tasks' exits: None is the last one; a task whose exit is learnt takes all.

    Raises:
        ValueError: An exit lies beyond `n_exits`.
    """
    resolved = {n_exits if number is None else number for number in exits if number != LEARNT}
    if LEARNT in exits:
        resolved.update(range(1, n_exits + 1))
    beyond = [number for number in resolved if not 1 <= number <= n_exits]
    if beyond:
        raise ValueError(f"exit {beyond[0]}: the encoder has exits 1 to {n_exits}")
    return tuple(sorted(resolved))
