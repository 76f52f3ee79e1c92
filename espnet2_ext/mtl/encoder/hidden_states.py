"""Hidden states that were computed before: the frozen encoder `ssl` without its network."""

from collections.abc import Sequence

import torch
from torch import Tensor

from espnet2_ext.mtl.encoder.abs_encoder import used_exits
from espnet2_ext.mtl.encoder.abs_frame_encoder import AbsFrameEncoder, Frames, mean_frames
from espnet2_ext.mtl.task import LEARNT


class HiddenStatesEncoder(AbsFrameEncoder):
    """Takes the features `hidden_states` apart into layers; exit i is the mean over the valid frames of layer i.

    It gives what the encoder `ssl` gives with `freeze: all` and no masks, as far as the features hold it: exits are the
    features' layers from 1, and the last of them stands for none.

    Args:
        input_size: Width of the features, a multiple of the number of layers.
        exits: Exits of the tasks: layers; None is the last one. With `layer_sum` there is one exit.
        layers: Layers in the features, in order. Training takes them from feature.yaml in the dump directory.
        layer_sum: Whether the one exit is the mean over frames of a learnt sum of all layers in the features, weighted
            by a softmax.

    Raises:
        ValueError: The features do not hold these layers, or an option is impossible.
    """

    def __init__(
        self, input_size: int, exits: Sequence[int | str | None], layers: Sequence[int], layer_sum: bool = False
    ) -> None:
        super().__init__()
        if not layers or list(layers) != sorted(set(layers)) or min(layers) < 0:
            raise ValueError(f"layers {list(layers)}: give those in the features, in ascending order, from 0")
        if input_size % len(layers) or layers[-1] == 0:
            raise ValueError(f"features of {input_size} bins are not those of layers {list(layers)} of one width each")
        self.layers, self._width = tuple(layers), input_size // len(layers)
        self.layer_weights = torch.nn.Parameter(torch.zeros(len(layers))) if layer_sum else None
        if layer_sum:
            self.exits = used_exits(exits, 1)
            return
        held = [layer for layer in self.layers if layer > 0]
        used = used_exits([number for number in exits if number != LEARNT] or [None], self.layers[-1])
        if LEARNT in exits:
            used = tuple(sorted({*held, *used}))
        absent = [number for number in used if number not in held]
        if absent:
            raise ValueError(f"exit {absent[0]}: the features hold the layers {list(self.layers)}")
        self.exits = used

    @property
    def new_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that are not pretrained: they learn at the heads' rate."""
        return () if self.layer_weights is None else ("layer_weights",)

    def output_size(self, exit_number: int) -> int:
        """Width of the embedding, the same at all exits."""
        if exit_number not in self.exits:
            raise ValueError(f"exit {exit_number}: the encoder has {self.exits}")
        return self._width

    def frame_size(self, layer: int) -> int:
        """Width of a layer's frames, the same in all; with `layer_sum` the sum is layer 1, the only one."""
        given = self.layers if self.layer_weights is None else self.exits
        if layer not in given:
            raise ValueError(f"layer {layer}: the features hold the layers {list(given)}")
        return self._width

    def frames(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Frames]:
        """(B, T, layers * D) -> by layer (B, T, D), views; see AbsFrameEncoder."""
        if self.layer_weights is not None:
            states = feats.unflatten(2, (len(self.layers), self._width))
            return {1: Frames(torch.einsum("l,btld->btd", torch.softmax(self.layer_weights, 0), states), lengths)}
        parts = feats.split(self._width, dim=2)
        return {layer: Frames(part, lengths) for layer, part in zip(self.layers, parts, strict=True)}

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Tensor]:
        """Encode (B, T, layers * D) hidden states; see AbsEncoder."""
        if self.layer_weights is None:
            frames = self.frames(feats, lengths)
            return {number: mean_frames(*frames[number]) for number in self.exits}
        shares = torch.softmax(self.layer_weights, 0)
        # The mean of the sum is the sum of the means, which are a hundred times smaller.
        means = mean_frames(feats, lengths).unflatten(1, (len(self.layers), self._width))
        return {1: torch.einsum("l,bld->bd", shares, means)}
