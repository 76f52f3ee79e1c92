#!/usr/bin/env -S python3 -S -E
"""Run a command, or an array of jobs, with a log each; what run.sh, slurm.sh and sge.sh call.

Usage: run_jobs.py {local|slurm|sge} [options] [NAME=FIRST:LAST] LOG COMMAND...

  run.sh JOB=1:4 exp/log/make.JOB.log make_something --part split4/JOB out.JOB

NAME (usually JOB) is replaced by the job's number in LOG and COMMAND. The command is run as it is given, without a
shell: for pipes write `bash -c '... | ...'`.

Options (before or after NAME=...):
  --max-jobs-run N   most jobs at a time (local: the cores, or what --num-threads, --gpu and --mem leave of them)
  --num-threads N    threads of a job: OMP_NUM_THREADS, and cores asked of the cluster
  --gpu N            GPUs of a job; local jobs get their own through CUDA_VISIBLE_DEVICES
  --mem SIZE         memory of a job, e.g. 4G
  --follow BOOL      true: show the first job's log while it runs
The log of an earlier call that failed or was killed is kept as LOG.old.
MTL_SUBMIT_OPTIONS holds further options of sbatch or qsub, MTL_SGE_PE the parallel environment of SGE (smp).

Exit status: 0 if all jobs ended with 0; 1 if one failed; 2 for a wrong call; 128 + N after signal N.
"""

import os
import re
import signal
import sys

import job_backends
from job_backends import JobError, Request

_TAIL_LINES = 12
_TAILED_LOGS = 3


class _StopError(Exception):
    """A signal asked the runner to stop."""


class _Progress:
    """Shows what the jobs do: the log of the first one, or on a terminal how many are done."""

    def __init__(self, request: Request) -> None:
        self._log = request.log_of(request.first) if request.follow else ""
        self._total = len(request.numbers)
        self._offset = 0
        self._shown = 0

    def __call__(self, done: int) -> None:
        """Show what is new; `done` is the number of finished jobs."""
        if self._log and os.path.exists(self._log):
            with open(self._log, "rb") as file:
                file.seek(self._offset)
                text = file.read()
            self._offset += len(text)
            sys.stderr.buffer.write(text)
            sys.stderr.buffer.flush()
        elif not self._log and self._total > 1 and done != self._shown and sys.stderr.isatty():
            self._shown = done
            print(f"\r{done}/{self._total} jobs", end="\n" if done == self._total else "", file=sys.stderr, flush=True)


def _number(option: str, text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise JobError(f"{option} takes a whole number from {least}, not '{text}'")
    return int(text)


def _memory(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", text, re.IGNORECASE)
    if match is None:
        raise JobError(f"--mem takes a size such as 4G, not '{text}'")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


def _option(option: str, text: str) -> dict[str, int | bool]:
    """Return the field of Request that an option sets."""
    if option == "--max-jobs-run":
        return {"max_jobs": _number(option, text, 1)}
    if option == "--num-threads":
        return {"threads": _number(option, text, 1)}
    if option == "--gpu":
        return {"gpus": _number(option, text, 0)}
    if option == "--mem":
        return {"memory": _memory(text)}
    if option == "--follow" and text in ("true", "false"):
        return {"follow": text == "true"}
    if option == "--follow":
        raise JobError(f"--follow takes true or false, not '{text}'")
    raise JobError(f"{option}: unknown option; known are --max-jobs-run, --num-threads, --gpu, --mem, --follow")


def parse(words: list[str]) -> Request:
    """Parse the command line after the backend's name.

    Raises:
        JobError: It is wrong.
    """
    fields: dict[str, int | bool] = {}
    name, first, last = "", 1, 1
    while words:
        if words[0].startswith("--"):
            option, equals, value = words.pop(0).partition("=")
            if not equals and not words:
                raise JobError(f"{option} needs a value")
            fields |= _option(option, value if equals else words.pop(0))
        elif match := re.fullmatch(r"([A-Za-z_]\w*)=(\d+)(?::(\d+))?", words[0]):
            name, first, last = match[1], int(match[2]), int(match[3] or match[2])
            if not 1 <= first <= last:
                raise JobError(f"{words[0]}: jobs are numbered from 1, first to last")
            words.pop(0)
        else:
            break
    if len(words) < 2:
        raise JobError("give a log file and a command; --help shows how")
    log, *command = words
    if name and name not in log and first < last:
        raise JobError(f"{log}: the log of several jobs needs {name} in its name")
    return Request(name, first, last, log, tuple(command), **fields)


def _clear_logs(request: Request) -> None:
    """Take the logs of an earlier call out of the way; those of failed or killed jobs are kept."""
    for number in request.numbers:
        log = request.log_of(number)
        os.makedirs(os.path.dirname(log) or ".", exist_ok=True)
        if not os.path.exists(log):
            continue
        if job_backends.ended_well(log):
            os.remove(log)
        else:
            os.replace(log, log + ".old")


def _report(program: str, request: Request, failed: list[int]) -> None:
    """Say which jobs failed, and show how their logs end."""
    logs = [request.log_of(number) for number in failed]
    names = " ".join(logs[:20]) + (" ..." if len(logs) > 20 else "")
    print(f"{program}: error: {len(failed)} of {len(request.numbers)} jobs failed; see {names}", file=sys.stderr)
    for log in logs[:_TAILED_LOGS]:
        if not os.path.exists(log):
            print(f"==> {log}: there is no log <==", file=sys.stderr)
            continue
        with open(log, "rb") as file:
            file.seek(max(0, os.path.getsize(log) - 16384))
            lines = file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
        print(f"==> the last lines of {log} <==", *lines, sep="\n", file=sys.stderr)


def _stop(signum: int, _frame: object) -> None:
    for other in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise _StopError(signum)


def main() -> int:
    """Entry point."""
    if len(sys.argv) < 3 or sys.argv[2] in ("--help", "-h"):
        print(__doc__)
        return 0 if len(sys.argv) > 2 else 2
    backend = sys.argv[1]
    program = {"local": "run.sh"}.get(backend, backend + ".sh")
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, _stop)
    try:
        request = parse(sys.argv[2:])
        _clear_logs(request)
        progress = _Progress(request)
        if backend == "local":
            failed = job_backends.run_local(request, progress)
        else:
            failed = job_backends.run_cluster(backend, request, progress)
    except JobError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{program}: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except _StopError as stopped:
        print(f"{program}: stopped by signal {stopped.args[0]}; the jobs were ended", file=sys.stderr)
        return 128 + stopped.args[0]
    if failed:
        _report(program, request, failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
