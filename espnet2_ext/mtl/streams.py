"""Further inputs of encoders beside the features: by name, as batches and as encoders have them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from espnet2_ext.errors import UserError

if TYPE_CHECKING:
    from espnet2_ext.mtl.encoder import AbsEncoder


class StreamInput(NamedTuple):
    """A stream of a batch.

    Attributes:
        rows: (B, T, D), bytes as a rule; what is past an utterance's rows means nothing.
        lengths: (B,) rows of each utterance; 0 where it lacks the stream.
    """

    rows: Tensor
    lengths: Tensor


Streams = Mapping[str, StreamInput]


def lengths_name(name: str) -> str:
    """Return the key of a stream's lengths in a batch."""
    return f"{name}_lengths"


def streams_of(encoder: "AbsEncoder", batch: Mapping[str, Tensor], device: str | None = None) -> dict[str, StreamInput]:
    """Take what the encoder declares out of a batch, to a device; a stream that the batch lacks is left out."""
    found = {}
    for name in encoder.streams:
        if name in batch:
            parts = (batch[name], batch[lengths_name(name)])
            found[name] = StreamInput(*(part.to(device or part.device, non_blocking=True) for part in parts))
    return found


def check_streams(encoder: "AbsEncoder", given: Mapping[str, int]) -> None:
    """Compare an encoder's streams with those of the data.

    Args:
        encoder: The encoder.
        given: Frames of the features for one row, by stream.

    Raises:
        UserError: A stream is missing, or not taken, or has another rate.
    """
    for name in given:
        if name not in encoder.streams:
            raise UserError(f"streams: {name}: this encoder does not take it; leave it out")
    for name, hop in encoder.streams.items():
        if given.get(name) != hop:
            raise UserError(f"streams: this encoder takes {name}; set streams: {{{name}: {{hop: {hop}}}}}")
