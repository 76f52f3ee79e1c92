"""Networks of the wav2vec2 family, built by transformers or by torchaudio, with one interface."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder.conv_block import MaskedGroupNorm
from espnet2_ext.mtl.encoder.ssl_folder import config_only, import_transformers

SOURCES = ("transformers", "torchaudio")
ATTENTIONS = ("sdpa", "eager")
_CLASSES = {
    "wav2vec2": ("Wav2Vec2Config", "Wav2Vec2Model"),
    "hubert": ("HubertConfig", "HubertModel"),
    "wavlm": ("WavLMConfig", "WavLMModel"),
}
# What torchaudio builds whatever the configuration says.
_TORCHAUDIO = {
    "hidden_act": "gelu", "feat_extract_activation": "gelu", "layer_norm_eps": 1e-5, "feat_proj_layer_norm": True,
}  # fmt: skip
Bias = Tensor | None


class AbsBackbone(torch.nn.Module, ABC):
    """Convolutions, projection, layers of the transformer.

    Attributes:
        convolutions: Layers with `conv` and, all or the first, `layer_norm`.
        projection: Their output to the transformer's width.
        entrance: What comes before the layers: positional convolution and, in models that normalise after each layer,
            a layer normalisation.
        layers: The transformer's layers.
        last_norm: Normalisation after all layers, in models that normalise inside the layers; else None.
    """

    def __init__(
        self, convolutions: torch.nn.ModuleList, projection: torch.nn.Module, transformer: torch.nn.Module, stable: bool
    ) -> None:
        super().__init__()
        for layer in convolutions:
            norm = getattr(layer, "layer_norm", None)
            if isinstance(norm, torch.nn.GroupNorm):
                layer.layer_norm = MaskedGroupNorm(norm.num_groups, norm.num_channels, norm.eps)
                layer.layer_norm.load_state_dict(norm.state_dict())
        self.convolutions, self.projection, self.layers = convolutions, projection, transformer.layers
        entrance = {"positions": transformer.pos_conv_embed, "dropout": transformer.dropout}
        if not stable:
            entrance["norm"] = transformer.layer_norm
        self.entrance = torch.nn.ModuleDict(entrance)
        self.last_norm = transformer.layer_norm if stable else None

    def convolve(self, wave: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(B, N) samples, valid samples (B,) or None for all -> (B, T, C) and valid frames (B,), one at least.

        A group normalisation takes its statistics of the valid frames, as of an utterance by itself.
        """
        x = wave.unsqueeze(1)
        for layer in self.convolutions:
            if lengths is not None:
                (kernel,), (stride,) = layer.conv.kernel_size, layer.conv.stride
                lengths = (torch.div(lengths - kernel, stride, rounding_mode="floor") + 1).clamp(min=1)
            norm = getattr(layer, "layer_norm", None)
            if isinstance(norm, MaskedGroupNorm) and lengths is not None:
                x = self.activate(layer, norm(layer.conv(x).unsqueeze(3), lengths).squeeze(3))
            else:
                x = self.run_convolution(layer, x)
        return x.transpose(1, 2), lengths

    def enter(self, x: Tensor) -> Tensor:
        """(B, T, D) projected frames -> (B, T, D) input of the first layer."""
        x = x + self.entrance["positions"](x)
        return self.entrance["dropout"](self.entrance["norm"](x) if "norm" in self.entrance else x)

    @abstractmethod
    def activate(self, layer: torch.nn.Module, x: Tensor) -> Tensor:
        """Activation of a convolution's layer."""

    @abstractmethod
    def run_convolution(self, layer: torch.nn.Module, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C', T')."""

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, D)."""

    @abstractmethod
    def attention_mask(self, valid: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, T) bool, true for valid frames -> what the layers take."""

    @abstractmethod
    def run_layer(self, number: int, x: Tensor, mask: Tensor | None, bias: Bias) -> tuple[Tensor, Bias]:
        """Run layer `number`, from 0: (B, T, D), mask, relative positions -> (B, T, D), positions for the next."""


class TransformersBackbone(AbsBackbone):
    """Built by transformers."""

    def __init__(self, model: torch.nn.Module) -> None:
        stable = model.config.do_stable_layer_norm
        super().__init__(model.feature_extractor.conv_layers, model.feature_projection, model.encoder, stable)
        self.is_wavlm = model.config.model_type == "wavlm"
        self.is_eager = model.config._attn_implementation == "eager"

    def activate(self, layer: torch.nn.Module, x: Tensor) -> Tensor:
        """See AbsBackbone."""
        return layer.activation(x)

    def run_convolution(self, layer: torch.nn.Module, x: Tensor) -> Tensor:
        """See AbsBackbone."""
        return layer(x)

    def project(self, x: Tensor) -> Tensor:
        """See AbsBackbone."""
        projected = self.projection(x)
        return projected[0] if isinstance(projected, tuple) else projected

    def attention_mask(self, valid: Tensor, dtype: torch.dtype) -> Tensor:
        """See AbsBackbone."""
        if self.is_wavlm:
            return valid
        if self.is_eager:
            return added(valid, dtype)[:, None, None, :]
        return square(valid)

    def run_layer(self, number: int, x: Tensor, mask: Tensor | None, bias: Bias) -> tuple[Tensor, Bias]:
        """See AbsBackbone."""
        if not self.is_wavlm:
            return self.layers[number](x, attention_mask=mask), None
        return self.layers[number](x, attention_mask=mask, position_bias=bias)


class TorchaudioBackbone(AbsBackbone):
    """Built by torchaudio, whose attention is torch's scaled dot product, also in WavLM."""

    def __init__(self, model: torch.nn.Module, architecture: Mapping[str, Any]) -> None:
        super().__init__(
            model.feature_extractor.conv_layers, model.encoder.feature_projection, model.encoder.transformer,
            architecture["do_stable_layer_norm"],
        )  # fmt: skip
        self.is_wavlm = architecture["model_type"] == "wavlm"

    def activate(self, layer: torch.nn.Module, x: Tensor) -> Tensor:  # noqa: ARG002 (the interface)
        """See AbsBackbone."""
        return torch.nn.functional.gelu(x)

    def run_convolution(self, layer: torch.nn.Module, x: Tensor) -> Tensor:
        """See AbsBackbone."""
        return layer(x, None)[0]

    def project(self, x: Tensor) -> Tensor:
        """See AbsBackbone."""
        return self.projection(x)

    def attention_mask(self, valid: Tensor, dtype: torch.dtype) -> Tensor:
        """See AbsBackbone."""
        return added(valid, dtype) if self.is_wavlm else square(valid)

    def run_layer(self, number: int, x: Tensor, mask: Tensor | None, bias: Bias) -> tuple[Tensor, Bias]:
        """See AbsBackbone."""
        if self.is_wavlm:
            return self.layers[number](x, position_bias=bias, key_padding_mask=mask)
        return self.layers[number](x, attention_mask=mask)


def build_backbone(
    architecture: Mapping[str, Any], n_layers: int, source: str, attention: str | None, folder: Path | None
) -> tuple[AbsBackbone, Tensor]:
    """Build a network of the lowest `n_layers` layers.

    Args:
        architecture: What `read_architecture` returned.
        n_layers: Layers of the transformer.
        source: transformers or torchaudio.
        attention: sdpa or eager; None is sdpa where there is a choice.
        folder: Where the weights are; None leaves them at random.

    Returns:
        The network, and the embedding (D,) that stands for masked frames.

    Raises:
        ValueError: An option is impossible for the model.
        UserError: transformers is missing, or the weights are torn or not those of the model.
    """
    if source not in SOURCES:
        raise ValueError(f"source is {' or '.join(SOURCES)}, not {source!r}")
    if attention not in (None, *ATTENTIONS):
        raise ValueError(f"attention is {' or '.join(ATTENTIONS)}, not {attention!r}")
    only = {("torchaudio", "wav2vec2"): "sdpa", ("torchaudio", "hubert"): "sdpa", ("torchaudio", "wavlm"): "sdpa"}
    only["transformers", "wavlm"] = "eager"
    chosen = only.get((source, architecture["model_type"]), attention or "sdpa")
    if attention not in (None, chosen):
        raise ValueError(f"attention: {architecture['model_type']} of {source} has {chosen} only")
    model = _build(architecture, n_layers, "eager" if source == "torchaudio" else chosen, folder)
    embedding = model.masked_spec_embed.detach().clone()
    if source == "transformers":
        return TransformersBackbone(model), embedding
    for key, value in _TORCHAUDIO.items():
        if architecture.get(key, value) != value:
            raise ValueError(f"source: torchaudio has no model with {key} {architecture[key]}; take transformers")
    from torchaudio.models.wav2vec2.utils import import_huggingface_model

    with _quiet(import_transformers()):
        return TorchaudioBackbone(import_huggingface_model(model), architecture), embedding


def added(valid: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, T) bool -> (B, T), what is added to the scores: 0 where valid, else the least number."""
    return torch.zeros(valid.shape, dtype=dtype, device=valid.device).masked_fill(~valid, torch.finfo(dtype).min)


def square(valid: Tensor) -> Tensor:
    """(B, T) -> (B, 1, T, T), each frame sees the valid ones."""
    return valid[:, None, None, :].expand(-1, 1, valid.size(1), -1)


def _build(architecture: Mapping[str, Any], n_layers: int, attention: str, folder: Path | None) -> torch.nn.Module:
    """Build transformers' model; its masks and LayerDrop are off, its embedding of masked frames is there."""
    transformers = import_transformers()
    kind = architecture["model_type"]
    config_class, model_class = (getattr(transformers, name) for name in _CLASSES[kind])
    conf = config_only(kind, architecture) | {"num_hidden_layers": n_layers}
    config = config_class(
        **conf, layerdrop=0.0, mask_time_prob=1.0, attn_implementation=attention,
    )  # fmt: skip
    if folder is None:
        return model_class(config)
    try:
        with _quiet(transformers):
            model, found = model_class.from_pretrained(
                folder, config=config, use_safetensors=True, local_files_only=True, dtype=torch.float32,
                attn_implementation=attention, output_loading_info=True,
            )  # fmt: skip
    except (OSError, RuntimeError, ValueError, _safetensors_error()) as error:
        raise UserError(f"{folder}: weights cannot be loaded: {' '.join(str(error).split())[:300]}") from error
    lacking = sorted(set(found["missing_keys"]) - {"masked_spec_embed"})
    if lacking:
        raise UserError(f"{folder}: weights lack {lacking[0]} ({len(lacking)} such entries); take those of the model")
    return model


def _safetensors_error() -> type[Exception]:
    from safetensors import SafetensorError

    return SafetensorError


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep progress bars, and tables of weights that are not used, off the terminal."""
    library = transformers.utils.logging
    torchaudio_log = logging.getLogger("torchaudio.models.wav2vec2.utils.import_huggingface")
    verbosity, level, bars = library.get_verbosity(), torchaudio_log.level, library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()
    torchaudio_log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        torchaudio_log.setLevel(level)
        if bars:
            library.enable_progress_bar()
