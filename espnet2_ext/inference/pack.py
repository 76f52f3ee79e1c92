"""A trained model as one zip: weights, configuration, tasks, features, model card."""

import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.inference.model_card import model_card
from espnet2_ext.mtl.build import build_model, load_config, load_trained
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.train.checkpoint import load, load_state

FORMAT = 1
WEIGHTS, CONFIG, TASKS, FEATURE, CARD = "model.pth", "config.yaml", "tasks.yaml", "feature.yaml", "README.md"
MEMBERS = (CARD, CONFIG, FEATURE, WEIGHTS, TASKS)
# What building the model takes; paths and everything about training stay behind.
KEYS = (
    "task_spec", "input_size", "encoder", "encoder_conf", "normalize", "normalize_conf", "weighting", "weighting_conf",
    "head_conf", "channels_last", "crop_conf",
)  # fmt: skip
# A model of two billion float32 parameters; the text members are small.
_LARGEST_WEIGHTS, _LARGEST_TEXT = 8 * 2**30, 2**20


def write_pack(exp: Path, weights: str, out: Path) -> None:
    """Write the pack of an experiment's model: the same bytes for the same input.

    Raises:
        UserError: The experiment is incomplete, or its weights do not fit.
    """
    model, config = load_trained(exp / "config.yaml", exp / weights)
    feature = exp / "feature.yaml"
    if not feature.exists():
        raise UserError(f"{feature}: no such file; run stage 6 again")
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    slim = {"format": FORMAT, **{key: config[key] for key in KEYS}}
    members = {
        CARD: model_card(exp, model).encode(),
        CONFIG: yaml.safe_dump(slim, sort_keys=False).encode(),
        FEATURE: feature.read_bytes(),
        WEIGHTS: buffer.getvalue(),
        TASKS: yaml.safe_dump(config["task_spec"], sort_keys=False).encode(),
    }
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, data)


def read_pack(path: Path, device: str = "cpu") -> tuple[ESPnetMTLModel, dict[str, Any], dict[str, Any]]:
    """Load a pack without writing any of it to the disk.

    Returns:
        The model in evaluation mode, its configuration, and the features' configuration.

    Raises:
        UserError: It is no pack, is torn or of a newer format, holds other members than a pack does, or its weights do
            not fit its configuration.
    """
    members = read_members(path)
    config = _mapping(members[CONFIG], f"{path}: {CONFIG}")
    if config.get("format") != FORMAT:
        raise UserError(f"{path}: pack format {config.get('format')!r}; this version reads {FORMAT}, update it")
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise UserError(f"{path}: {CONFIG} lacks {', '.join(missing)}; pack the model again")
    model = build_model({**config, "compile_encoder": False})
    load_state(model, _weights(members[WEIGHTS], path), path)
    return model.to(device).eval(), config, _mapping(members[FEATURE], f"{path}: {FEATURE}")


def read_members(path: Path) -> dict[str, bytes]:
    """Return the members of a pack by name, after looking at their names, kinds and sizes.

    Raises:
        UserError: As `read_pack`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            names = [info.filename for info in infos]
            if sorted(names) != sorted(MEMBERS):
                odd = sorted(set(names) ^ set(MEMBERS)) or names
                raise UserError(f"{path}: not a pack: it should hold {', '.join(MEMBERS)}; look at {odd[0]!r}")
            for info in infos:
                _check_member(path, info)
            return {info.filename: archive.read(info) for info in infos}
    except (OSError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise UserError(f"{path}: not a readable pack: {error}") from error


def load_model(source: Path, weights: str, device: str) -> tuple[ESPnetMTLModel, dict[str, Any], dict[str, Any]]:
    """Load an experiment's directory or a pack; see `read_pack`."""
    if not source.is_dir():
        return read_pack(source, device)
    feature = source / "feature.yaml"
    if not feature.exists():
        raise UserError(f"{feature}: no such file; train with mtl.sh, which puts it there")
    model, _ = load_trained(source / "config.yaml", source / weights, device)
    return model, load_config(source / "config.yaml"), _mapping(feature.read_bytes(), str(feature))


def _weights(data: bytes, path: Path) -> dict[str, torch.Tensor]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / WEIGHTS
        file.write_bytes(data)
        try:
            return load(file)
        except UserError as error:
            raise UserError(f"{path}: {str(error).removeprefix(f'{folder}/')}") from error


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    kind = info.external_attr >> 16 & 0o170000
    if kind not in (0, 0o100000):
        raise UserError(f"{path}: {info.filename} is no plain file; do not use this pack")
    limit = _LARGEST_WEIGHTS if info.filename == WEIGHTS else _LARGEST_TEXT
    if info.file_size > limit:
        raise UserError(f"{path}: {info.filename} claims {info.file_size} bytes; do not use this pack")


def _mapping(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = yaml.safe_load(data.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{where}: not plain yaml: {' '.join(str(error).split())}") from error
    if not isinstance(value, Mapping):
        raise UserError(f"{where}: holds no mapping")
    return dict(value)
