#!/usr/bin/env -S python3 -S -E
"""Run one job of run.sh, slurm.sh or sge.sh, on whatever host it landed.

Usage: run_one_job.py NAME ID LOG COMMAND...

NAME is replaced by ID in LOG and COMMAND. The log gets the command, host, start, end and exit code around the output.
Standard library only; it starts in 20 ms.
"""

import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time

# How long a job has to clear up after SIGTERM before it is killed, in seconds.
GRACE = 10.0
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


class _StopError(Exception):
    """A signal asked this job to stop."""


def _prctl(option: int, value: int) -> None:
    """Set a process attribute where the system has them (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _parents() -> dict[int, int]:
    """Return the parent of every process that can be seen."""
    parents = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
                # The name in brackets may hold anything; the parent is the second field after it.
                parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
    return parents


def _descendants() -> list[int]:
    """Return all living processes below this one, also those that changed their session."""
    parents, found = _parents(), [os.getpid()]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found[1:]


def _kill_all(child: subprocess.Popen[bytes]) -> None:
    """End the command and all that it started: SIGTERM, then SIGKILL after the grace period."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE)
    # As subreaper this process inherits orphans, so a second look finds what the first one's victims left.
    while pids := _descendants():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.02)


def _stop(signum: int, _frame: object) -> None:
    raise _StopError(signum)


def _start(command: list[str], log: int) -> subprocess.Popen[bytes]:
    """Start the command in a process group of its own; it gets SIGTERM if this process is killed."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        process_group=0,
        preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),
    )


def run(log_path: str, command: list[str]) -> int:
    """Run the command with its output in the log; return its exit code, 128 + N after signal N."""
    os.makedirs(os.path.dirname(log_path) or ".", exist_ok=True)
    started = time.time()
    with open(log_path, "wb", buffering=0) as log:

        def note(text: str) -> None:
            log.write(f"# {text}\n".encode())

        note(shlex.join(command))
        note(f"Host {os.uname().nodename}, directory {os.getcwd()}")
        note(f"Started at {time.strftime('%Y-%m-%dT%H:%M:%S')}")
        note("")
        child = None
        try:
            child = _start(command, log.fileno())
            code = child.wait()
            code = code if code >= 0 else 128 - code
        except OSError as error:
            note(f"cannot run {command[0]}: {error.strerror}")
            code = 127
        except _StopError as stopped:
            for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(signum, signal.SIG_IGN)
            if child is not None:
                _kill_all(child)
            code = 128 + stopped.args[0]
        seconds = round(time.time() - started)
        note(f"Accounting: time={seconds} threads={os.environ.get('OMP_NUM_THREADS', 1)}")
        note(f"Ended (code {code}) at {time.strftime('%Y-%m-%dT%H:%M:%S')}, elapsed time {seconds} seconds")
    return code


def main() -> int:
    """Entry point."""
    if len(sys.argv) < 5:
        print(__doc__, file=sys.stderr)
        return 2
    name, number, log, *command = sys.argv[1:]
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, _stop)
    runner = os.environ.pop("MTL_RUNNER_PID", "")
    if runner:
        # Under the local runner: if that one is killed, even with SIGKILL, this job must not go on writing.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(runner):
            return 1
    if name:
        log = log.replace(name, number)
        command = [word.replace(name, number) for word in command]
    try:
        return run(log, command)
    except OSError as error:
        print(f"error: {log}: the log cannot be written: {error.strerror}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
