"""Hidden states of a frozen pretrained model of waves."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.feature.abs_feature import AbsFeature

if TYPE_CHECKING:
    from espnet2_ext.mtl.encoder.ssl import SSLEncoder

_DEVICES = ("cpu", "cuda")
# Kaldi's kTwoByteAuto; 0 is float32.
_COMPRESSIONS = (0, 3)


@dataclasses.dataclass(eq=False)
class HiddenStates(AbsFeature):
    """Outputs of the layers of a wav2vec2, HuBERT or WavLM, side by side: what the encoder `ssl` computes, done once.

    The model sees a whole utterance, by itself, without masks and dropout. A wave shorter than one frame takes is
    filled up with zeros. Memory grows with the square of an utterance's length.

    Attributes:
        sample_rate: Sampling rate in Hz, that of the model.
        model: Its folder, or the hub's `org/name`.
        revision: Commit on the hub; empty for a folder.
        layers: Layers in ascending order, 0 is what enters the transformer; empty for all. As in the encoder, the last
            layer of models that end with a normalisation is normalised.
        source: Who builds the network: transformers or torchaudio.
        compression: How arks hold the values: 3 is Kaldi's method with two bytes a value, whose error is at most half
            of 1/65535 of the span between an utterance's least and greatest value; 0 is float32.
        device: cpu, or cuda while the features are made; it is not kept with them.
        architecture: What a packed model is built of, without its folder; written by packing.
    """

    name: ClassVar[str] = "hidden_states"
    model: str = ""
    revision: str = ""
    layers: list = dataclasses.field(default_factory=list)
    source: str = "transformers"
    compression: int = 3
    device: str = "cpu"
    architecture: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = [number for number in self.layers if isinstance(number, int) and not isinstance(number, bool)]
        rising = numbers == sorted(set(numbers)) and len(numbers) == len(self.layers) and min(numbers, default=0) >= 0
        self._require(self.model != "", "model is missing: name a folder, or org/name of the hub with a revision")
        self._require(rising, f"layers {self.layers} is no list of numbers from 0 in ascending order")
        self._require(self.compression in _COMPRESSIONS, f"compression {self.compression} is not 3 or 0")
        self._require(self.device in _DEVICES, f"device {self.device!r} is not one of {', '.join(_DEVICES)}")

    @property
    def dim(self) -> int:
        """Number of layers times the model's width."""
        return len(self._numbers) * self._architecture["hidden_size"]

    @property
    def frame_shift(self) -> float:
        """Seconds from frame to frame: 0.02 in the published models."""
        return float(np.prod(self._architecture["conv_stride"])) / self.sample_rate

    @property
    def ark_compression(self) -> int | None:
        """See AbsFeature."""
        return self.compression or None

    def config(self) -> dict[str, Any]:
        """Return the options, with the numbers of all layers, without the device; see AbsFeature."""
        options = super().config() | {"layers": self._numbers}
        dropped = ["device"] if self.architecture else ["device", "architecture"]
        return {name: value for name, value in options.items() if name not in dropped}

    @property
    def self_contained(self) -> bool:
        """Whether the model is described here, and not only named."""
        return bool(self.architecture)

    def pack(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return options with the model's architecture and no path, and its weights; see AbsFeature."""
        name = self.model if self.revision else Path(self.model).resolve().name
        options = self.config() | {"model": name, "architecture": self._architecture}
        return options, dict(self._encoder.backbone.state_dict())

    def unpack(self, weights: Mapping[str, Any]) -> None:
        """Take the model's weights; see AbsFeature."""
        try:
            self._encoder.backbone.load_state_dict(weights)
        except RuntimeError as error:
            raise UserError(f"feature {self.name}: weights do not fit: {' '.join(str(error).split())[:300]}") from error

    @cached_property
    def _found(self) -> tuple[dict[str, Any], Path | None]:
        """What describes the model, and its folder; no folder of one from a pack, whose weights come by `unpack`."""
        from espnet2_ext.mtl.encoder.ssl_folder import checked_architecture, find_model, read_architecture

        try:
            folder = None if self.architecture else find_model(self.model, self.revision or None)
            architecture = checked_architecture(self.architecture) if folder is None else read_architecture(folder)
        except (UserError, ValueError) as error:
            raise UserError(f"feature {self.name}: {str(error).removeprefix('encoder_conf: ')}") from error
        rate, depth = architecture["sampling_rate"], architecture["num_hidden_layers"]
        self._require(rate == self.sample_rate, f"sample_rate {self.sample_rate}: {self.model} takes {rate} Hz")
        self._require(max(self.layers, default=0) <= depth, f"layers {self.layers}: {self.model} has 0 to {depth}")
        return architecture, folder

    @property
    def _architecture(self) -> dict[str, Any]:
        return self._found[0]

    @property
    def _numbers(self) -> list[int]:
        return self.layers or list(range(self._architecture["num_hidden_layers"] + 1))

    @cached_property
    def _encoder(self) -> "SSLEncoder":
        import torch

        from espnet2_ext.mtl.encoder.ssl import SSLEncoder

        if self.device == "cuda" and not torch.cuda.is_available():
            raise UserError(f"feature {self.name}: device cuda: torch finds no GPU; set device: cpu")
        deepest = max(1, *self._numbers)
        try:
            conf = {"architecture": self._architecture} if self.architecture else {"model": str(self._found[1])}
            encoder = SSLEncoder(1, [deepest], source=self.source, freeze="all", **conf)
        except ValueError as error:
            raise UserError(f"feature {self.name}: {error}") from error
        return encoder.eval().to(self.device)

    def _extract(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        import torch

        matrices = []
        with torch.inference_mode():
            for wave in waves:
                # One by one: no frame then depends on what an utterance is padded to.
                samples = torch.from_numpy(wave).to(self.device)[None, :, None]
                states, _ = self._encoder.hidden_states(samples)
                matrices.append(torch.cat([states[number][0] for number in self._numbers], dim=1).cpu().numpy())
        return matrices
