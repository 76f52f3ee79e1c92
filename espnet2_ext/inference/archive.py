"""The files of a pack: what a zip must look like before anything in it is used."""

import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path, fsync_path, temp_path

FORMAT = 1
WEIGHTS, CONFIG, TASKS, FEATURE, CARD = "model.pth", "config.yaml", "tasks.yaml", "feature.yaml", "README.md"
ONNX = "model.onnx"
MEMBERS = (CARD, CONFIG, FEATURE, WEIGHTS, TASKS)
OPTIONAL = (ONNX,)
# A model of two billion float32 parameters; the text members are small.
_LARGEST_WEIGHTS, _LARGEST_TEXT = 8 * 2**30, 2**20
# Weights hardly compress; what grows more than this when it is unpacked, beyond a mebibyte, is no model.
_LARGEST_RATIO = 50
# What zipfile raises for bytes that are no zip, or not the one that its directory describes.
_UNREADABLE = (
    OSError, zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, RuntimeError, ValueError, zlib.error, struct.error,
)  # fmt: skip


class _PlainLoader(yaml.SafeLoader):
    """The safe loader without aliases: a few nested ones stand for more than fits memory once they are printed."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose the next node unless it is an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"holds the alias *{self.peek_event().anchor}; write out what it stands for")
        return super().compose_node(parent, index)


def write_archive(members: Mapping[str, bytes], out: Path) -> None:
    """Write a zip: the same bytes for the same members."""
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, members[name])


def read_archive(path: Path) -> dict[str, bytes]:
    """Return the members of a pack by name, after looking at their names, kinds and sizes.

    Raises:
        UserError: It is missing, no pack, torn or of a newer format, or it holds other members than a pack does.
    """
    if not path.exists():
        raise UserError(f"{path}: no such experiment or pack; run stages 6 and 10, or mend the path")
    try:
        with zipfile.ZipFile(path) as archive:
            infos = {info.filename: info for info in archive.infolist()}
            if CONFIG in infos:
                # First of all: a newer format may have members that this one does not know.
                _check_member(path, infos[CONFIG])
                check_format(parse_mapping(archive.read(CONFIG), f"{path}: {CONFIG}"), path)
            for info in archive.infolist():
                _check_member(path, info)
            _check_names(path, [info.filename for info in archive.infolist()])
            return {name: archive.read(name) for name in infos}
    except _UNREADABLE as error:
        raise UserError(f"{path}: torn or no pack ({error}); copy it again") from error


def read_folder(folder: Path, names: Iterable[str] = MEMBERS) -> dict[str, bytes]:
    """Return members of an unpacked pack; other files beside them are none of ours.

    Raises:
        UserError: One is missing or too large.
    """
    members = {}
    for name in names:
        file = folder / name
        try:
            if file.stat().st_size > _largest(name):
                raise UserError(f"{file}: holds {file.stat().st_size} bytes; do not use this pack")
            members[name] = file.read_bytes()
        except OSError as error:
            raise UserError(f"{file}: cannot be read ({error.strerror}); unpack the pack again") from error
    return members


def write_folder(members: Mapping[str, bytes], folder: Path) -> None:
    """Write members as files of a new folder: all of them, or none.

    Raises:
        UserError: The folder is there already, or the disk is full.
    """
    if folder.exists():
        raise UserError(f"{folder}: is there already; name another folder")
    building = temp_path(folder)
    try:
        building.mkdir(parents=True)
        for name, data in members.items():
            (building / name).write_bytes(data)
            fsync_path(building / name)
        fsync_path(building)
        os.rename(building, folder)
        fsync_path(folder.parent)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); free or choose another disk") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def check_format(config: Mapping[str, Any], where: Path | str) -> None:
    """Check the version that a pack's configuration names.

    Raises:
        UserError: It is another one than ours.
    """
    version = config.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise UserError(f"{where}: pack format {version} is newer than {FORMAT}, which this version reads; update it")
    if version != FORMAT:
        raise UserError(f"{where}: {CONFIG} has format {version!r}, not {FORMAT}; pack the model again")


def parse_mapping(data: bytes, where: str) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        UserError: It is something else.
    """
    try:
        value = _PlainLoader(data.decode("utf-8")).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{where}: not plain yaml: {' '.join(str(error).split())}") from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UserError(f"{where}: holds no mapping by names")
    return value


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    name = info.filename
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
        raise UserError(f"{path}: {name!r} reaches outside the pack; do not use this pack")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{path}: {name} is no plain file; do not use this pack")
    if info.file_size > min(_largest(name), 2**20 + _LARGEST_RATIO * info.compress_size):
        raise UserError(f"{path}: {name} claims {info.file_size} bytes; do not use this pack")


def _largest(name: str) -> int:
    return _LARGEST_WEIGHTS if name in (WEIGHTS, ONNX) else _LARGEST_TEXT


def _check_names(path: Path, names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    odd = twice or sorted((set(names) - {*MEMBERS, *OPTIONAL}) | (set(MEMBERS) - set(names)))
    if odd:
        what = "is there twice" if twice else "is missing" if odd[0] in MEMBERS else "does not belong there"
        raise UserError(f"{path}: not a pack: {odd[0]!r} {what}; it should hold {', '.join(MEMBERS)}")
