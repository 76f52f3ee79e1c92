"""Folders of tiny, randomly initialised models of the wav2vec2 family, as transformers writes them."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers

CLASSES = {
    "wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2Model),
    "hubert": (transformers.HubertConfig, transformers.HubertModel),
    "wavlm": (transformers.WavLMConfig, transformers.WavLMModel),
}
# Samples that the first frame takes, of the convolutions below: 10 + 4 * 5.
FIELD = 30


def make_ssl(folder: Path, kind: str = "wav2vec2", large: bool = True, **options: Any) -> torch.nn.Module:
    """Write config.json, preprocessor_config.json and model.safetensors; return transformers' model in evaluation mode.

    Args:
        folder: Where to write; made.
        kind: wav2vec2, hubert or wavlm.
        large: Whether convolutions and layers normalise as in the large models (each by layer normalisation, before
            they compute), or as in the base models (group normalisation in the first; after).
        options: Of transformers' configuration, before those below.
    """
    config, model = CLASSES[kind]
    given = {
        "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24,
        "conv_dim": (8, 8), "conv_kernel": (10, 5), "conv_stride": (5, 4),
        "conv_bias": large, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2, "vocab_size": 5,
        "feat_extract_norm": "layer" if large else "group", "do_stable_layer_norm": large, "layerdrop": 0.1,
    } | options  # fmt: skip
    torch.manual_seed(0)
    built = model(config(**given)).eval()
    with torch.no_grad():
        # As initialised, all biases are 0 and all norms do nothing, which would hide mistakes.
        for parameter in built.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    built.save_pretrained(folder)
    preprocessor = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "sampling_rate": 16000,
        "padding_value": 0.0, "padding_side": "right", "do_normalize": True, "return_attention_mask": large,
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return built
