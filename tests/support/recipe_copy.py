"""A copy of the repository to run a recipe in, with the environment of the running Python."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class RecipeCopy:
    """Runs scripts of a recipe in a fresh copy of what the repository holds (nothing that runs have left)."""

    def __init__(self, folder: Path, recipe: str) -> None:
        ignore = shutil.ignore_patterns("__pycache__", "data", "dump", "exp", "downloads", ".stages", "venv*")
        for name in ("egs", "utils", "tools", "espnet2_ext"):
            # The package has a folder called data, which is code.
            skip = shutil.ignore_patterns("__pycache__") if name == "espnet2_ext" else ignore
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=skip)
        self.directory = folder / recipe
        self.env = os.environ | {"ESPNET2_EXT_VENV": sys.prefix}
        self.env.pop("OMP_NUM_THREADS", None)

    def run(self, *command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        """Run a command in the recipe's directory, whatever its exit status; one that hangs is ended with its jobs."""
        with subprocess.Popen(
            [str(part) for part in command], cwd=self.directory, env=self.env | (env or {}), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                stdout, stderr = process.communicate(timeout=1800)
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def run_ok(self, *command: str) -> str:
        """Run a command that must succeed; return its output, stdout and stderr."""
        result = self.run(*command)
        output = result.stdout + result.stderr
        assert result.returncode == 0, output[-6000:]
        return output

    def files(self) -> dict[str, int]:
        """Every file's time of modification, by path."""
        paths = (path for path in self.directory.rglob("*") if path.is_file())
        return {str(path.relative_to(self.directory)): path.stat().st_mtime_ns for path in paths}
