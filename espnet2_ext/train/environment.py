"""What a run was made with: kept beside it, so that a result can be traced."""

import datetime
import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext import __version__
from espnet2_ext.fileio.atomic import atomic_path

PACKAGES = ("torch", "torchaudio", "espnet", "kaldiio", "numpy", "soundfile", "soxr")


def describe_environment() -> dict[str, Any]:
    """Date, command, git revision (`-dirty` with uncommitted changes) and versions."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES if _installed(name)}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python", "-m", "espnet2_ext.bin.mtl_train", *sys.argv[1:]]),
        "git": git_revision(),
        "versions": {"espnet2_ext": __version__, "python": platform.python_version(), **versions},
    }


def git_revision() -> str:
    """Revision of the repository that this package lies in; `unknown` outside one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        result = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return result.stdout.strip() or "unknown"


def write_environment(path: Path, **facts: Any) -> None:
    """Write the description and further facts as yaml."""
    with atomic_path(path) as temporary:
        temporary.write_text(yaml.safe_dump({**describe_environment(), **facts}, sort_keys=False), encoding="utf-8")


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
