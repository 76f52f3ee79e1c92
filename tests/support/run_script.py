"""Running a script of a recipe within this process: the same as a new one, without the seconds that imports take."""

import contextlib
import io
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock


@dataclass(frozen=True)
class Result:
    """What a script left: exit status and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def run_script(script: Path, *arguments: object) -> Result:
    """Run a script; the modules beside it are imported afresh, and forgotten after it."""
    before = set(sys.modules)
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        mock.patch.object(sys, "argv", [str(script), *map(str, arguments)]),
        mock.patch.object(sys, "path", [str(script.parent), *sys.path]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as end:
            code = end.code
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(script.parent)):
            del sys.modules[name]
    return Result(code if isinstance(code, int) else int(code is not None), out.getvalue(), err.getvalue())
