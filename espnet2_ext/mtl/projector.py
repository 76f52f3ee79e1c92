"""Projector of embeddings for the Barlow Twins loss."""

import itertools
from collections.abc import Sequence

import torch


class Projector(torch.nn.Sequential):
    """Linear layers, with batch normalisation and ReLU between them.

    Source: Zbontar et al., "Barlow Twins", 2021, section 2.2 (three layers of 8192); Jing et al., "Redundancy Reduction
    Twins Network", 2022, have one layer of 2048. (B, input_size) -> (B, sizes[-1]).

    Args:
        input_size: Width of the encoder's embedding.
        sizes: Width of each layer.

    Raises:
        ValueError: There is no layer, or a width is below 1.
    """

    def __init__(self, input_size: int, sizes: Sequence[int]) -> None:
        if not sizes or min(sizes) < 1:
            raise ValueError(f"projector {list(sizes)}: give the width of one layer or more, from 1")
        layers: list[torch.nn.Module] = []
        for width_in, width_out in itertools.pairwise((input_size, *sizes)):
            layers += [torch.nn.Linear(width_in, width_out), torch.nn.BatchNorm1d(width_out), torch.nn.ReLU()]
        super().__init__(*layers[:-2])
