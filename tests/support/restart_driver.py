"""Trains in child processes that are killed at chosen moments, then again; the imports are paid once.

Called as `restart_driver.py ROOT SCENARIO...`; prints one json line: {scenario: log of the second run}.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from espnet2_ext.errors import UserError
from espnet2_ext.tasks.mtl import MTLTask
from espnet2_ext.train import checkpoint, train_epoch


def kill() -> None:
    """The process ends here, with nothing flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def patched(module: object, name: str, replacement: Callable) -> Iterator[None]:
    original = getattr(module, name)
    setattr(module, name, replacement(original))
    yield
    setattr(module, name, original)


def at_call(number: int) -> Callable:
    """Kill at the given call of a function."""

    def wrap(original: Callable) -> Callable:
        calls = []

        def function(*args: object, **kwargs: object) -> object:
            calls.append(None)
            if len(calls) == number:
                kill()
            return original(*args, **kwargs)

        return function

    return wrap


def half_written(fragment: str, number: int) -> Callable:
    """Kill when half of the bytes of the n-th file whose name holds `fragment` are written."""

    def wrap(original: Callable) -> Callable:
        calls = []

        def save(obj: object, path: Path) -> None:
            original(obj, path)
            if fragment in str(path):
                calls.append(None)
                if len(calls) == number:
                    size = Path(path).stat().st_size
                    os.truncate(path, size // 2)
                    kill()

        return save

    return wrap


KILLS: dict[str, tuple[object, str, Callable]] = {
    "mid_epoch": (train_epoch, "_forward_backward", at_call(13)),  # 5 steps an epoch: in the third
    "mid_checkpoint": (torch, "save", half_written("checkpoint.new", 2)),
    "mid_model": (torch, "save", half_written("3epoch", 1)),
    "between_renames": (os, "replace", at_call(0)),
    "mid_averaging": (torch, "save", half_written("ave_2best", 1)),
}


def between_renames(original: Callable) -> Callable:
    """Kill when checkpoint.pth has become checkpoint.prev.pth and its successor has not come."""

    def replace(source: object, target: object) -> None:
        original(source, target)
        if str(target).endswith(checkpoint.PREVIOUS):
            kill()

    return replace


def train(options: list[str], log: Path) -> int:
    """Run a training in a child process; return its exit status (minus the signal that ended it)."""
    pid = os.fork()
    if pid == 0:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        try:
            MTLTask.main(cmd=options)
        except UserError as error:
            print(f"error: {error}", flush=True)
            os._exit(1)
        except BaseException:
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
            os._exit(3)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run_scenario(root: Path, name: str, options: list[str]) -> dict[str, object]:
    out = root / name
    options = [*options, "--output_dir", str(out)]
    first = None
    if name in KILLS:
        module, attribute, wrap = KILLS[name]
        wrap = between_renames if name == "between_renames" else wrap
        with patched(module, attribute, wrap):
            first = train(options, root / f"{name}.1.log")
    if name == "torn_checkpoint":
        first = train([*options, "--max_epoch", "2"], root / f"{name}.1.log")
        os.truncate(out / "checkpoint.pth", (out / "checkpoint.pth").stat().st_size // 2)
    if name == "torn_model":
        first = train([*options, "--max_epoch", "2"], root / f"{name}.1.log")
        os.truncate(out / "2epoch.pth", 100)
    if name == "other_tasks":
        first = train([*options, "--max_epoch", "1"], root / f"{name}.1.log")
        options = [*options, "--tasks", "emotion"]
    second = train(options, root / f"{name}.2.log")
    return {"first": first, "second": second, "log": (root / f"{name}.2.log").read_text()}


def main() -> None:
    root, scenarios = Path(sys.argv[1]), sys.argv[2].split(",")
    torch.set_num_threads(1)
    options = json.loads((root / "options.json").read_text())
    print(json.dumps({name: run_scenario(root, name, options) for name in scenarios}))


if __name__ == "__main__":
    main()
