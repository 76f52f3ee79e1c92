"""Checkpoints that survive a kill at any moment."""

import logging
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path

CURRENT = "checkpoint.pth"
PREVIOUS = "checkpoint.prev.pth"
# What torch, pickle and zipfile raise for bytes that are no checkpoint.
_UNREADABLE = (
    OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError, EOFError,
    pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip


def save(obj: Any, path: Path) -> None:
    """Write with torch.save to a temporary name, then rename.

    Raises:
        UserError: The disk is full.
    """
    try:
        with atomic_path(path) as temporary:
            torch.save(obj, temporary)
    except RuntimeError as error:
        # How torch's zip writer reports a write that failed.
        if "inline_container" in str(error) or "file write failed" in str(error):
            raise UserError(f"{path}: cannot be written, is the disk full? free some space and run again") from error
        raise


def load(path: Path, map_location: str = "cpu") -> Any:
    """Read with torch.load, weights only: no loaded file runs code.

    Raises:
        UserError: The file is torn, or holds something else than tensors and plain data.
    """
    try:
        # torch does not compare the checksums that it writes.
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as file:
                if file.testzip() is not None:
                    raise zipfile.BadZipFile("a checksum is wrong")
        return torch.load(path, map_location=map_location, weights_only=True)
    except _UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: torn or not a file of weights: {reason}") from error


def load_state(module: torch.nn.Module, state: Mapping[str, Any], source: Path | str) -> None:
    """Load a state strictly.

    Raises:
        UserError: Entries are missing, unexpected or of another shape.
    """
    try:
        module.load_state_dict(state, strict=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        # TypeError, AttributeError: the file holds something else than a state.
        reason = " ".join(str(error).split())
        raise UserError(f"{source}: does not fit this model, was it trained for other tasks? {reason[:300]}") from error


def plain(state: Any) -> Any:
    """Make NumPy's scalars numbers, in what an optimiser or a scheduler returned as its state.

    Weights-only loading refuses NumPy's, and some schedulers compute their rates with NumPy.
    """
    if isinstance(state, np.generic):
        return state.item()
    # Not their subclasses: MultiStepLR needs its Counter.
    if type(state) is dict:
        return {key: plain(value) for key, value in state.items()}
    return type(state)(map(plain, state)) if type(state) in (list, tuple) else state


def save_checkpoint(directory: Path, state: Mapping[str, Any]) -> None:
    """Write checkpoint.pth; the one before it stays as checkpoint.prev.pth."""
    new = directory / "checkpoint.new.pth"
    save(dict(state), new)
    if (directory / CURRENT).exists():
        os.replace(directory / CURRENT, directory / PREVIOUS)
    os.replace(new, directory / CURRENT)


def load_checkpoint(directory: Path) -> dict[str, Any] | None:
    """Read the newest good checkpoint; None when training has not saved one.

    Raises:
        UserError: There are checkpoints and none can be read.
    """
    torn = []
    for path in (directory / CURRENT, directory / PREVIOUS):
        if not path.exists():
            continue
        try:
            state = load(path)
        except UserError as error:
            torn.append(path)
            logging.warning(f"{error}; falling back to the checkpoint before it")
            continue
        logging.info(f"resuming from {path}")
        return state
    if torn:
        raise UserError(f"{torn[0]}: no checkpoint can be read; remove {directory} to train from the start")
    return None


def link(path: Path, target: str) -> None:
    """Make `path` a symbolic link to `target` in the same folder, replacing what was there in one step."""
    temporary = path.with_name(f".{path.name}.link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    os.replace(temporary, path)


def average(paths: Sequence[Path]) -> dict[str, torch.Tensor]:
    """Average the weights of models, in float64; entries that are not floating point are the first model's.

    Raises:
        UserError: A file is torn.
    """
    first = load(paths[0])
    sums = {name: value.double() for name, value in first.items() if value.is_floating_point()}
    for path in paths[1:]:
        state = load(path)
        for name, value in sums.items():
            value += state[name].double()
    return {name: (sums[name] / len(paths)).to(value.dtype) if name in sums else value for name, value in first.items()}
