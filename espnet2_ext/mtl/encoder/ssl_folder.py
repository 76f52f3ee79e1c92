"""Folders and hub repositories of pretrained models of the wav2vec2 family."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.hub import fetch, is_commit, is_repo

FAMILY = ("wav2vec2", "hubert", "wavlm")
CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
_FETCHED = (CONFIG, PREPROCESSOR, "model*.safetensors", "model.safetensors.index.json")
_NUMBER, _NUMBERS = (int, float), (list,)
# What of config.json describes the network, with its types; all else is about training or heads that are not used.
_KEYS: dict[str, tuple[type, ...]] = {
    "hidden_size": (int,), "num_hidden_layers": (int,), "num_attention_heads": (int,), "intermediate_size": (int,),
    "hidden_act": (str,), "hidden_dropout": _NUMBER, "activation_dropout": _NUMBER, "attention_dropout": _NUMBER,
    "feat_proj_dropout": _NUMBER, "layer_norm_eps": _NUMBER, "feat_extract_norm": (str,),
    "feat_extract_activation": (str,), "conv_dim": _NUMBERS, "conv_stride": _NUMBERS, "conv_kernel": _NUMBERS,
    "conv_bias": (bool,), "num_conv_pos_embeddings": (int,), "num_conv_pos_embedding_groups": (int,),
    "do_stable_layer_norm": (bool,),
}  # fmt: skip
_KEYS_OF = {
    "wav2vec2": {},
    "hubert": {"feat_proj_layer_norm": (bool,)},
    "wavlm": {"num_buckets": (int,), "max_bucket_distance": (int,)},
}
# Parts that the encoder does not have; a model with one is refused.
_REFUSED = {"conv_pos_batch_norm": "batch normalisation", "adapter_attn_dim": "adapters in its layers"}


def find_architecture(
    model: str | None, revision: str | None, architecture: Mapping[str, Any] | None
) -> tuple[dict[str, Any], Path | None]:
    """Return what describes a network, and the folder with its weights: None where it is given, as of a trained model.

    Raises:
        ValueError: Neither a model nor an architecture is given, or the latter is none.
        UserError: As `find_model` and `read_architecture`.
    """
    if architecture is not None:
        return checked_architecture(architecture), None
    if model is None:
        raise ValueError("model is missing: name a folder, or org/name of the hub with a revision")
    folder = find_model(str(model), revision)
    return read_architecture(folder), folder


def find_model(model: str, revision: str | None) -> Path:
    """Return the folder of a model: a local one as it is, one of the hub from huggingface_hub's cache or the hub.

    Args:
        model: A folder, or the hub's `org/name`.
        revision: Commit (40 hexadecimal digits) on the hub; None for a folder.

    Raises:
        UserError: There is no such folder; the revision is missing, is no commit, or is that of a folder; the hub
            refuses or cannot be reached; the weights are no safetensors.
    """
    folder = Path(model)
    if folder.is_dir():
        if revision is not None:
            raise UserError(f"encoder_conf: revision {revision}: {model} is a local folder; leave revision out")
    elif not is_repo(model):
        raise UserError(f"encoder_conf: model {model}: no such folder; name one, or org/name of the hub")
    elif revision is None or not is_commit(revision):
        raise UserError(
            f"encoder_conf: model {model}: no such folder; for a model of the hub give its commit as revision "
            f"(40 hexadecimal digits), not {revision}"
        )
    else:
        folder = fetch(model, revision, _FETCHED)
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder}: no {CONFIG}; name the folder of a model of transformers")
    if not (folder / WEIGHTS).is_file() and not (folder / f"{WEIGHTS}.index.json").is_file():
        raise UserError(
            f"{folder}: no {WEIGHTS}; pickled weights (pytorch_model.bin) are not loaded: rewrite them with the "
            "lines in docs/ssl.md"
        )
    return folder


def read_architecture(folder: Path) -> dict[str, Any]:
    """Read what describes a network and its input: of config.json and preprocessor_config.json.

    Returns:
        Plain data: `model_type`, sizes, dropouts, `do_normalize` and `sampling_rate` (Hz).

    Raises:
        UserError: A file is missing or torn, or the model is not one of the wav2vec2 family.
    """
    config, preprocessor = _parse(folder / CONFIG), _parse(folder / PREPROCESSOR)
    kind = config.get("model_type")
    if kind not in FAMILY:
        raise UserError(f"{folder / CONFIG}: model_type {kind}: the encoder ssl takes {', '.join(FAMILY)}")
    # Keys that stand at transformers' defaults may be left out of the file.
    complete = import_transformers().AutoConfig.for_model(kind, **config_only(kind, config)).to_dict()
    for key, part in _REFUSED.items():
        if config.get(key):
            raise UserError(f"{folder / CONFIG}: {key}: a model with {part} is not for the encoder ssl; take another")
    kept = {"model_type": kind} | config_only(kind, complete)
    for key, kinds in {"do_normalize": (bool,), "sampling_rate": (int,)}.items():
        if not isinstance(preprocessor.get(key), kinds):
            raise UserError(f"{folder / PREPROCESSOR}: {key} is missing; take the file that belongs to the model")
        kept[key] = preprocessor[key]
    return checked_architecture(kept)


def config_only(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that describe the network of a model type, as plain data."""
    wanted = (*_KEYS, *_KEYS_OF[kind])
    return {key: list(data[key]) if isinstance(data[key], tuple) else data[key] for key in wanted if key in data}


def checked_architecture(architecture: Mapping[str, Any]) -> dict[str, Any]:
    """Check what `read_architecture` has returned, perhaps elsewhere: in a pack that somebody made.

    Raises:
        ValueError: It is of no model type that is known, lacks a key, has another, or a value of another type.
    """
    kind = architecture.get("model_type")
    if kind not in FAMILY:
        raise ValueError(f"architecture: model_type {kind} is not one of {', '.join(FAMILY)}")
    known = {"model_type": (str,), "do_normalize": (bool,), "sampling_rate": (int,)} | _KEYS | _KEYS_OF[kind]
    odd = sorted(set(known) ^ set(architecture))
    if odd:
        raise ValueError(f"architecture: {odd[0]} is {'missing' if odd[0] in known else 'no part of it'}")
    for key, kinds in known.items():
        value = architecture[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds != (bool,)):
            raise ValueError(f"architecture: {key} is no {kinds[0].__name__}: {value!r}")
    return dict(architecture)


def import_transformers() -> Any:
    """Import transformers.

    Raises:
        UserError: It is missing.
    """
    try:
        import transformers
    except ImportError as error:
        raise UserError("transformers is missing; install it: tools/install.sh --extras ssl") from error
    return transformers


def _parse(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); take the file that belongs to the model") from error
    if not isinstance(data, dict):
        raise UserError(f"{path}: holds no mapping; take the file that belongs to the model")
    return data
