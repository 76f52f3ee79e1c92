"""Convolutions on raw waves, then an LSTM: Emo-18."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.abs_encoder import AbsEncoder, used_exits
from espnet2_ext.mtl.encoder.abs_frame_encoder import last_frame
from espnet2_ext.mtl.encoder.conv_block import frame_mask

KERNELS = (8, 6, 6)
POOLS = (10, 8, 8)


class Emo18(AbsEncoder):
    """Three blocks of convolution and maximum pooling, an LSTM, and its last valid state; one exit.

    Source: Tzirakis et al., "End-to-End Speech Emotion Recognition Using Deep Neural Networks", ICASSP 2018: kernels of
    8, 6 and 6 samples with 64, 128 and 256 channels, pooling of 10, 8 and 8, so that a step is 640 samples (40 ms at 16
    kHz), and two LSTM layers of 256 cells. Batch normalisation, LeakyReLU and the padding, which costs a sample in each
    convolution, are those of the toolkit End2You, which calls the network Emo-18. That cuts waves into frames of 0.1 s,
    applies the convolutions to each frame by itself and takes one recurrent step a frame; here, as in the paper, they
    run over the whole wave, and the steps are 40 ms.

    Args:
        input_size: Width of the features: 1, since they are samples.
        exits: Exits of the tasks: all None or 1.
        channels: Channels of the three convolutions.
        hidden_size: Cells of an LSTM layer, the width of the embedding.
        n_layers: LSTM layers.
        dropout: Dropout after each LSTM layer but the last.

    Raises:
        ValueError: An option is impossible.
    """

    def __init__(
        self,
        input_size: int,
        exits: Sequence[int | str | None],
        channels: Sequence[int] = (64, 128, 256),
        hidden_size: int = 256,
        n_layers: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if input_size != 1:
            raise ValueError(
                f"features of {input_size} bins: the encoder emo18 takes waves, `name: raw` in feature.yaml"
            )
        if len(channels) != len(KERNELS):
            raise ValueError(f"channels: give {len(KERNELS)} numbers, not {len(channels)}")
        if hidden_size < 1 or n_layers < 1:
            raise ValueError(f"hidden_size {hidden_size}, n_layers {n_layers}: give numbers from 1")
        self.exits = used_exits(exits, 1)
        self.blocks = torch.nn.ModuleList(
            torch.nn.Sequential(
                torch.nn.Conv1d(wide_in, wide_out, kernel, padding=(kernel - 1) // 2),
                torch.nn.BatchNorm1d(wide_out),
                torch.nn.LeakyReLU(),
                torch.nn.MaxPool1d(pool),
            )
            for (wide_in, wide_out), kernel, pool in zip(
                itertools.pairwise((1, *channels)), KERNELS, POOLS, strict=True
            )
        )
        self.lstm = torch.nn.LSTM(channels[-1], hidden_size, n_layers, batch_first=True, dropout=dropout)
        self._field = shortest_wave()

    def output_size(self, exit_number: int) -> int:
        """Width of the embedding; there is one exit."""
        used_exits([exit_number], 1)
        return self.lstm.hidden_size

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Tensor]:
        """Encode (B, N, 1) samples, of which (B,) are valid; see AbsEncoder.

        Waves of less than one step (731 samples) are filled up with zeros.
        """
        x = _zero_past(feats.transpose(1, 2), lengths)
        if x.size(2) < self._field:
            x = torch.nn.functional.pad(x, (0, self._field - x.size(2)))
        if lengths is not None:
            lengths = lengths.clamp(min=self._field)
        for block, kernel, pool in zip(self.blocks, KERNELS, POOLS, strict=True):
            x = block(x)
            if lengths is not None:
                lengths = torch.div(_convolved(lengths, kernel), pool, rounding_mode="floor")
                x = _zero_past(x, lengths)
        states, _ = self.lstm(x.transpose(1, 2))
        return {1: last_frame(states, lengths)}


def _convolved(length: Tensor, kernel: int) -> Tensor:
    """Steps after a convolution whose padding is that of the blocks."""
    return length + 2 * ((kernel - 1) // 2) - kernel + 1


def shortest_wave() -> int:
    """Return the samples that one step of the LSTM takes."""
    length = 1
    for kernel, pool in zip(reversed(KERNELS), reversed(POOLS), strict=True):
        length = length * pool + kernel - 1 - 2 * ((kernel - 1) // 2)
    return length


def _zero_past(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Set what is past the length of (B, C, T) to zero."""
    return x if lengths is None else x.masked_fill(~frame_mask(lengths, x.size(2)).unsqueeze(1), 0.0)
