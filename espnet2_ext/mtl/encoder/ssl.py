"""Pretrained models of waves: wav2vec2, HuBERT, WavLM."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from espnet2_ext.mtl.encoder.abs_encoder import used_exits
from espnet2_ext.mtl.encoder.abs_frame_encoder import AbsFrameEncoder, Frames, mean_frames
from espnet2_ext.mtl.encoder.conv_block import frame_mask
from espnet2_ext.mtl.encoder.ssl_backbone import AbsBackbone, build_backbone
from espnet2_ext.mtl.encoder.ssl_folder import find_architecture
from espnet2_ext.mtl.encoder.ssl_masks import InputMasks, SpanMasks

FREEZE = ("all", "feature_extractor", "none")


class SSLEncoder(AbsFrameEncoder):
    """A model of the wav2vec2 family on raw waves; exit i is the mean over the valid frames of layer i.

    Source: Baevski et al., "wav2vec 2.0", 2020; Hsu et al., "HuBERT", 2021; Chen et al., "WavLM", 2022. Fine-tuned with
    masks as in Karas et al., "Self-Supervised Attention Networks and Uncertainty Loss Weighting for Multi-Task Emotion
    Recognition on Vocal Bursts", 2022. Other than in transformers, LayerDrop is off (every exit has its layer in every
    step), and padded audio changes nothing also where the convolutions have a group normalisation: its statistics are
    those of the valid frames. The last layer's exit is normalised in models that end with a normalisation, as their
    last hidden state is.

    Args:
        input_size: Width of the features: 1, since they are samples.
        exits: Exits of the tasks: layers from 1; None is the last one. With `layer_sum` there is one exit.
        model: Folder with config.json, preprocessor_config.json and model.safetensors, or the hub's `org/name`. What an
            experiment or pack has beside its `architecture` is a name only.
        revision: Commit on the hub.
        architecture: What a trained model is built of, without its folder; its weights are loaded afterwards.
        source: Who builds the network: transformers or torchaudio.
        freeze: `all`; `feature_extractor`, the convolutions; `none`; or a number n: convolutions, projection, positions
            and the lowest n layers. What is frozen has no gradient and no dropout.
        layer_sum: Whether the one exit is the mean over frames of a learnt sum of all layers and their input, weighted
            by a softmax.
        mask_time_prob: Share of frames that is masked in training (with 0 there is no embedding of masked frames).
        mask_time_length: Frames of one mask, of 20 ms in the published models.
        mask_time_min_masks: Least number of masks of an utterance.
        mask_feature_prob: Share of features that is masked in training.
        mask_feature_length: Features of one mask.
        mask_feature_min_masks: Least number of masks of an utterance.
        gradient_checkpointing: Whether layers run again in the backward pass, instead of keeping what it needs.
        attention: sdpa or eager; None is sdpa where there is a choice.

    Raises:
        ValueError: An option is impossible.
        UserError: The model cannot be had, or is not one of these; see `find_model` and `build_backbone`.
    """

    def __init__(
        self,
        input_size: int,
        exits: Sequence[int | str | None],
        model: str | None = None,
        revision: str | None = None,
        architecture: Mapping[str, Any] | None = None,
        source: str = "transformers",
        freeze: str | int = "feature_extractor",
        layer_sum: bool = False,
        mask_time_prob: float = 0.05,
        mask_time_length: int = 10,
        mask_time_min_masks: int = 2,
        mask_feature_prob: float = 0.05,
        mask_feature_length: int = 10,
        mask_feature_min_masks: int = 0,
        gradient_checkpointing: bool = False,
        attention: str | None = None,
    ) -> None:
        super().__init__()
        self._frozen: tuple[torch.nn.Module, ...] = ()
        if input_size != 1:
            raise ValueError(f"features of {input_size} bins: the encoder ssl takes waves, `name: raw` in feature.yaml")
        self.architecture, folder = find_architecture(model, revision, architecture)
        n_layers = self.architecture["num_hidden_layers"]
        self.exits = used_exits(exits, 1 if layer_sum else n_layers)
        deepest = n_layers if layer_sum else self.exits[-1]
        self.backbone, embedding = build_backbone(self.architecture, deepest, source, attention, folder)
        if deepest < n_layers:
            # Else it would be a parameter that no step uses.
            self.backbone.last_norm = None
        self.masks = InputMasks(
            SpanMasks(mask_time_prob, mask_time_length, mask_time_min_masks),
            SpanMasks(mask_feature_prob, mask_feature_length, mask_feature_min_masks),
            embedding,
        )
        self.layer_weights = torch.nn.Parameter(torch.zeros(n_layers + 1)) if layer_sum else None
        self.gradient_checkpointing = gradient_checkpointing
        self._field = _field_of(self.architecture["conv_kernel"], self.architecture["conv_stride"])
        self._frozen = frozen_parts(self.backbone, freeze, n_layers)
        for module in self._frozen if freeze in ("none", "feature_extractor") else (*self._frozen, self.masks):
            module.requires_grad_(False)
        self.train()

    @property
    def new_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that are not pretrained: they learn at the heads' rate."""
        return () if self.layer_weights is None else ("layer_weights",)

    def resolved(self, conf: Mapping[str, Any]) -> dict[str, Any]:
        """Return the encoder's options as an experiment keeps them: complete without the model's folder."""
        model = str(conf["model"])
        name = model if conf.get("revision") else Path(model).resolve().name
        return {**conf, "model": name, "architecture": self.architecture}

    def output_size(self, exit_number: int) -> int:
        """Width of the embedding, the same at all exits."""
        used_exits([exit_number], 1 if self.layer_weights is not None else self.architecture["num_hidden_layers"])
        return self.architecture["hidden_size"]

    def train(self, mode: bool = True) -> "SSLEncoder":
        """Set the mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Tensor]:
        """Encode (B, N, 1) samples, of which (B,) are valid; see AbsEncoder."""
        frames = self.frames(feats, lengths)
        return {number: mean_frames(*frames[number]) for number in self.exits}

    def frame_size(self, layer: int) -> int:
        """Width of the frames, the same in all layers; with `layer_sum` the sum is layer 1, the only one."""
        return self.output_size(layer or (1 if self.layer_weights is None else layer))

    def frames(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Frames]:
        """Encode (B, N, 1) samples, of which (B,) are valid; see AbsFrameEncoder."""
        states, frames = self.hidden_states(feats, lengths)
        if self.layer_weights is None:
            return {number: Frames(states[number], frames) for number in (0, *self.exits)}
        shares = torch.softmax(self.layer_weights, 0)
        return {1: Frames(sum(map(torch.mul, shares, states)), frames)}

    def hidden_states(self, feats: Tensor, lengths: Tensor | None = None) -> tuple[list[Tensor], Tensor | None]:
        """Encode frame by frame, all layers.

        Args:
            feats: (B, N, 1) samples in [-1, 1]; fewer than one frame takes are filled up with zeros.
            lengths: (B,) valid samples, or None for all.

        Returns:
            What enters the transformer and the layers' outputs, up to the deepest in use: (B, T, D) each; and the valid
            frames (B,), at least one, or None for all. Frames past them mean nothing.
        """
        wave = feats.squeeze(2)
        wave = _fill_up(_standardise(wave, lengths) if self.architecture["do_normalize"] else wave, self._field)
        x, frames = self.backbone.convolve(wave, lengths)
        x = self.masks(self.backbone.project(x), frames)
        mask = None
        if frames is not None:
            valid = frame_mask(frames, x.size(1))
            x = x.masked_fill(~valid.unsqueeze(2), 0.0)
            mask = self.backbone.attention_mask(valid, x.dtype)
        x = self.backbone.enter(x)
        states, positions, run_layer = [x], None, self.backbone.run_layer
        if self.gradient_checkpointing and self.training and torch.is_grad_enabled():
            run_layer = partial(checkpoint, run_layer, use_reentrant=False)
        for number in range(len(self.backbone.layers)):
            x, positions = run_layer(number, x, mask, positions)
            states.append(x)
        if self.backbone.last_norm is not None:
            states[-1] = self.backbone.last_norm(x)
        return states, frames


def frozen_parts(backbone: AbsBackbone, freeze: str | int, n_layers: int) -> tuple[torch.nn.Module, ...]:
    """Return the parts of a network that an option freezes.

    Raises:
        ValueError: There is no such option.
    """
    if freeze in FREEZE:
        return {"all": (backbone,), "feature_extractor": (backbone.convolutions,), "none": ()}[str(freeze)]
    if isinstance(freeze, int) and not isinstance(freeze, bool) and 1 <= freeze <= n_layers:
        return (backbone.convolutions, backbone.projection, backbone.entrance, *backbone.layers[:freeze])
    raise ValueError(f"freeze is {', '.join(FREEZE)} or a number of layers from 1 to {n_layers}, not {freeze!r}")


def _field_of(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Samples that one frame is made of."""
    field, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field, step = field + (kernel - 1) * step, step * stride
    return field


def _fill_up(wave: Tensor, samples: int) -> Tensor:
    """(B, N) -> (B, N) or, where that is more, (B, samples) with zeros at the end."""
    missing = samples - wave.size(1)
    return torch.nn.functional.pad(wave, (0, missing)) if missing > 0 else wave


def _standardise(wave: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, N) -> mean 0 and variance 1 over the valid samples of each row, 0 past them.

    The constant that is added to the variance is that of transformers' feature extractor.
    """
    if lengths is None:
        mean, variance = wave.mean(dim=1, keepdim=True), wave.var(dim=1, keepdim=True, correction=0)
        return (wave - mean) * (variance + 1e-7).rsqrt()
    mask, count = frame_mask(lengths, wave.size(1)), lengths.unsqueeze(1)
    mean = wave.masked_fill(~mask, 0.0).sum(dim=1, keepdim=True) / count
    centred = (wave - mean).masked_fill(~mask, 0.0)
    variance = centred.square().sum(dim=1, keepdim=True) / count
    return centred * (variance + 1e-7).rsqrt()
