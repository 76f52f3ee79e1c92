"""Running the tools as a user does, and small data directories to run them on."""

import os
import subprocess
import sys
import wave
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UTILS = ROOT / "utils"

Result = subprocess.CompletedProcess[str]
Tool = Callable[..., Result]

# utterance: (speaker, seconds, emotion, country); None is a missing label.
CORPUS: Mapping[str, tuple[str, float, str | None, str | None]] = {
    "s1-a": ("s1", 0.5, "0.1 0.2", "North"),
    "s1-b": ("s1", 0.25, "0.3 nan", None),
    "s2-a": ("s2", 0.75, None, "South"),
    "s2-b": ("s2", 0.5, "0.5 0.6", "North"),
    "s2-c": ("s2", 1.0, "0.7 0.8", "South"),
    "s3-a": ("s3", 0.5, "1 0", "South"),
}


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment of a user's shell with this Python first on PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    unwanted = ("MTL_", "CORPUS_ROOT", "PYTHON", "CUDA_VISIBLE", "OMP_NUM", "LC_", "LANG")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    return kept | {"PATH": path} | extra


def write_wav(path: Path, seconds: float, rate: int = 16000) -> None:
    """Write silence."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(2 * round(seconds * rate)))


def write_rows(path: Path, rows: Mapping[str, str]) -> None:
    """Write a table in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key} {value}\n" for key, value in rows.items()), encoding="utf-8")


def rows_of(path: Path) -> dict[str, str]:
    """Read a table without any check."""
    return dict(line.split(" ", 1) for line in path.read_text(encoding="utf-8").splitlines())


def error_line(result: Result) -> str:
    """The one line of a tool that failed; stdout is empty and there is no traceback."""
    assert result.returncode == 1, result
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]
