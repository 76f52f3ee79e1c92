"""Multi-layer perceptron on functionals of whole utterances."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.abs_encoder import AbsEncoder, used_exits
from espnet2_ext.mtl.encoder.conv_block import frame_mask


class MLP(AbsEncoder):
    """Mean over the frames, then linear layers, each with layer normalisation and LeakyReLU; one exit after the last.

    Source: the feature baseline of Baird et al., "The ICML 2022 Expressive Vocalizations Workshop and Competition:
    Recognizing, Generating, and Personalizing Vocal Bursts", 2022: 128 and 64 units on one vector of openSMILE
    functionals per recording. Features with one frame are that vector; of others the mean is taken.

    Args:
        input_size: Width D of the features.
        exits: Exits of the tasks: all None or 1.
        channels: Units of each layer.
        dropout: Dropout after each layer (the baseline has none).
    """

    def __init__(
        self,
        input_size: int,
        exits: Sequence[int | str | None],
        channels: Sequence[int] = (128, 64),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not channels:
            raise ValueError("channels: give the units of one layer at least")
        self.exits = used_exits(exits, 1)
        self._width = channels[-1]
        layers: list[torch.nn.Module] = []
        for wide_in, wide_out in itertools.pairwise((input_size, *channels)):
            layers += [torch.nn.Linear(wide_in, wide_out), torch.nn.LayerNorm(wide_out), torch.nn.LeakyReLU()]
            layers.append(torch.nn.Dropout(dropout))
        self.layers = torch.nn.Sequential(*layers)

    def output_size(self, exit_number: int) -> int:
        """Width of the embedding; there is one exit."""
        used_exits([exit_number], 1)
        return self._width

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Tensor]:
        """Encode (B, T, D) features; see AbsEncoder."""
        if lengths is None:
            mean = feats.mean(dim=1)
        else:
            mask = frame_mask(lengths, feats.size(1)).unsqueeze(2)
            mean = torch.where(mask, feats, 0.0).sum(dim=1) / lengths.unsqueeze(1)
        return {1: self.layers(mean)}
