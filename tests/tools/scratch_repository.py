"""A scratch repository with a stand-in for Python, venv and pip: it logs what it is asked and installs nothing."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Answers what install.sh and find_python.sh ask. FAKE_PIP_RC: status of an install; FAKE_PIP_WAIT: a file to wait for.
FAKE_PYTHON = r"""#!/usr/bin/env bash
version=${FAKE_VERSION:-3.11.7}
case "$1 $2" in
"-c import platform"*) echo "${version}" ;;
"-c import ensurepip, venv") exit "${FAKE_ENSUREPIP_RC:-0}" ;;
"-c import ensurepip, sys"*) for asked in "${@:3}"; do [ "${asked}" = "${version%.*}" ] && exit 0; done; exit 1 ;;
"-c import sysconfig"*) echo "$0" ;;
"-c import sys; print(sys._base_executable)") cat "$(dirname "$0")/base" ;;
"-c import sys; print(sys.executable)") echo "$0" ;;
"-c import sys; print(\"%d.%d\""*) echo "${version%.*}" ;;
"-m venv")
    mkdir -p "$3/bin" "$3/lib" && cp "$0" "$3/bin/python" && echo "$0" >"$3/bin/base" && touch "$3/pyvenv.cfg"
    echo "venv $3" >>"${FAKE_LOG}"
    ;;
"-m pip")
    [ "$3" = --version ] && exit 0
    echo "pip ${*:3} PIP_CONSTRAINT=${PIP_CONSTRAINT##*/} PIP_USER=${PIP_USER}" >>"${FAKE_LOG}"
    if [ "$3 $4" = "install --editable" ]; then
        while [ -n "${FAKE_PIP_WAIT:-}" ] && [ ! -e "${FAKE_PIP_WAIT}" ]; do sleep 0.05; done
        exit "${FAKE_PIP_RC:-0}"
    fi
    ;;
"-m pytest")
    echo "pytest ${*:3} in $0" >>"${FAKE_LOG}"
    echo "== ${FAKE_CLOSING:-1 passed} with ${version} =="
    case "${version}" in ${FAKE_FAILING:-none}) exit 1 ;; esac
    ;;
*) ;;
esac
"""


@dataclass
class ScratchRepository:
    """A copy of the installer's files, and how to call them."""

    path: Path
    python: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> list[str]:
        """What the stand-in was asked to do, in order."""
        path = Path(self.environment["FAKE_LOG"])
        return path.read_text().splitlines() if path.exists() else []

    def popen(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        """Start a command of the scratch repository in its own process group."""
        return subprocess.Popen(
            [str(self.path / command[0]), *command[1:]],
            env={**self.environment, **variables},
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, **variables: str) -> tuple[int, str]:
        """Run a command; return its status and everything it printed."""
        process = self.popen(*command, **variables)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def install(self, *options: str, **variables: str) -> tuple[int, str]:
        """Run tools/install.sh on the stand-in."""
        return self.run("tools/install.sh", "--python", str(self.python), *options, **variables)

    def stamp(self) -> Mapping[str, str] | None:
        """Return the stamp of tools/venv, or None."""
        path = self.path / "tools/venv/.stamp"
        return dict(line.split(" ", 1) for line in path.read_text().splitlines()) if path.exists() else None


def write_executable(path: Path, text: str) -> Path:
    """Write a script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path
