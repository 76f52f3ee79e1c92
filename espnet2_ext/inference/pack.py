"""A trained model as one file: weights, configuration, tasks, features, model card."""

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from espnet2_ext.data.crop import Crop
from espnet2_ext.errors import UserError
from espnet2_ext.feature import AbsFeature, build_feature
from espnet2_ext.inference.archive import (
    CARD,
    CONFIG,
    FEATURE,
    FORMAT,
    ONNX,
    TASKS,
    WEIGHTS,
    check_format,
    parse_mapping,
    read_archive,
    read_folder,
    write_archive,
)
from espnet2_ext.inference.model_card import model_card
from espnet2_ext.mtl.build import build_model, checked, load_trained
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.train.checkpoint import load, load_state

# What building the model takes beside its tasks; paths and everything about training stay behind.
KEYS = (
    "input_size", "encoder", "encoder_conf", "normalize", "normalize_conf", "weighting", "weighting_conf", "head_conf",
    "channels_last", "crop_conf",
)  # fmt: skip
# Packs and experiments may lack these.
_OPTIONAL_KEYS = (
    "heads", "exit_conf", "twins", "twins_conf",
    "dimension_weighting", "dimension_weighting_conf", "dimension_weighting_tasks",
)  # fmt: skip

# Weights that the features are computed with stand beside the model's under this prefix.
_OF_FEATURE = "feature."


class Trained(NamedTuple):
    """A trained model and what goes with it.

    Attributes:
        model: The model, in evaluation mode.
        config: Its configuration.
        feature: Extractor of its features.
        crop: How utterances are cut.
    """

    model: ESPnetMTLModel
    config: dict[str, Any]
    feature: AbsFeature
    crop: Crop


def write_pack(exp: Path, weights: str, out: Path, onnx: bool = False) -> None:
    """Write the pack of an experiment's model: the same bytes for the same input.

    Args:
        exp: The experiment's directory.
        weights: Which of its models.
        out: The zip.
        onnx: Whether the model is packed as an ONNX graph too.

    Raises:
        UserError: The experiment is incomplete, its weights do not fit, the ONNX packages are missing, or the graph
            does not predict what the model does.
    """
    model, config, extractor, _ = _load_experiment(exp, weights, "cpu")
    feature, feature_weights = extractor.pack()
    kept = {key: config[key] for key in (*KEYS, *_OPTIONAL_KEYS) if config.get(key) or key in KEYS}
    buffer = io.BytesIO()
    torch.save(model.state_dict() | {f"{_OF_FEATURE}{name}": value for name, value in feature_weights.items()}, buffer)
    members = {
        CARD: model_card(exp, model, config, feature, FORMAT).encode(),
        CONFIG: _dump({"format": FORMAT, **kept}),
        FEATURE: _dump(feature),
        WEIGHTS: buffer.getvalue(),
        TASKS: _dump(config["task_spec"]),
    }
    if onnx:
        # Its packages are an extra.
        from espnet2_ext.inference.onnx_graph import describe, export_onnx

        members[ONNX] = export_onnx(model, config, feature)
        members[CARD] += describe(members[ONNX]).encode()
    write_archive(members, out)


def read_pack(path: Path, device: str = "cpu") -> Trained:
    """Load a pack without leaving any of it on the disk.

    Raises:
        UserError: It is no pack, is torn or of a newer format, holds other members than a pack does, or its weights do
            not fit its configuration.
    """
    return build_trained(read_archive(path), path, device)


def load_model(source: Path, weights: str, device: str) -> Trained:
    """Load an experiment's directory, an unpacked pack, or a pack; see `read_pack`."""
    if not source.is_dir():
        return read_pack(source, device)
    # Experiments keep their tasks in config.yaml.
    if (source / TASKS).exists():
        return build_trained(read_folder(source), source, device)
    return _load_experiment(source, weights, device)


def build_trained(members: Mapping[str, bytes], where: Path, device: str = "cpu") -> Trained:
    """Build the model of a pack's members; see `read_pack`."""
    config = parse_mapping(members[CONFIG], f"{where}: {CONFIG}")
    check_format(config, where)
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise UserError(f"{where}: {CONFIG} lacks {', '.join(missing)}; pack the model again")
    config["task_spec"] = parse_mapping(members[TASKS], f"{where}: {TASKS}")
    feature_conf = parse_mapping(members[FEATURE], f"{where}: {FEATURE}")
    feature, crop = _build_parts(config, feature_conf, where, packed=True)
    try:
        model = build_model({**config, "compile_encoder": False})
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        # A value of another type than the one that we write.
        raise UserError(f"{where}: {CONFIG} describes no model: {' '.join(str(error).split())}") from error
    weights = _load_weights(members[WEIGHTS], where)
    names = [name for name in weights if name.startswith(_OF_FEATURE)]
    feature.unpack({name.removeprefix(_OF_FEATURE): weights.pop(name) for name in names})
    load_state(model, weights, f"{where}: {WEIGHTS}")
    return Trained(model.to(device).eval(), config, feature, crop)


def _load_experiment(exp: Path, weights: str, device: str) -> Trained:
    feature = exp / FEATURE
    model, config = load_trained(exp / CONFIG, exp / weights, device)
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise UserError(f"{exp / CONFIG}: lacks {', '.join(missing)}; train the model again")
    if not feature.exists():
        raise UserError(f"{feature}: no such file; run stage 6 again, which puts it there")
    return Trained(model, config, *_build_parts(config, parse_mapping(feature.read_bytes(), str(feature)), exp))


def _build_parts(
    config: Mapping[str, Any], feature_conf: Mapping[str, Any], where: Path, packed: bool = False
) -> tuple[AbsFeature, Crop]:
    if not isinstance(feature_conf.get("name"), str):
        raise UserError(f"{where}: {FEATURE}: names no feature; write e.g. 'name: log_mel'")
    try:
        feature = build_feature(**feature_conf)
    except UserError as error:
        raise UserError(f"{where}: {FEATURE}: {error}") from error
    if packed and not feature.self_contained:
        # Else a pack could name a folder of this machine, or fetch a model.
        raise UserError(f"{where}: {FEATURE}: features {feature.name} lack what they are computed with; pack again")
    if feature.dim != config["input_size"]:
        raise UserError(f"{where}: features of {feature.dim} bins for a model of {config['input_size']}")
    if not isinstance(config["crop_conf"], dict):
        raise UserError(f"{where}: crop_conf holds no mapping")
    return feature, checked(f"{where}: crop_conf", Crop, **config["crop_conf"])


def _load_weights(data: bytes, where: Path) -> dict[str, torch.Tensor]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / WEIGHTS
        file.write_bytes(data)
        try:
            return load(file)
        except UserError as error:
            raise UserError(f"{where}: {str(error).removeprefix(f'{folder}/')}") from error


class _PlainDumper(yaml.SafeDumper):
    """Writes out what stands twice, since packs with aliases are refused."""

    def ignore_aliases(self, *_: Any) -> bool:
        return True


def _dump(data: Mapping[str, Any]) -> bytes:
    return yaml.dump(dict(data), Dumper=_PlainDumper, sort_keys=False, allow_unicode=True).encode()
