"""Where jobs run: this machine, Slurm, Sun/Univa Grid Engine. Used by run_jobs.py; standard library only."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ONE_JOB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run_one_job.py")
# A log written on another host may take this long to be seen here, in seconds.
LOG_WAIT = float(os.environ.get("MTL_LOG_WAIT", "15"))


class JobError(Exception):
    """A request that cannot be run: one line for the user."""


@dataclass(frozen=True)
class Request:
    """What the user asked to run.

    Attributes:
        name: The word that a job's number replaces; empty for one plain job.
        first: Number of the first job.
        last: Number of the last job.
        log: Log file, with `name` in it.
        command: The command and its arguments, with `name` in them; run as they are, without a shell.
        max_jobs: Most jobs at a time; 0 is the backend's default.
        threads: Threads per job; 0 leaves OMP_NUM_THREADS as it is.
        gpus: GPUs per job.
        memory: Memory per job in bytes; 0 asks for none.
        follow: Whether the first job's log is shown while it runs.
    """

    name: str
    first: int
    last: int
    log: str
    command: tuple[str, ...]
    max_jobs: int = 0
    threads: int = 0
    gpus: int = 0
    memory: int = 0
    follow: bool = False

    @property
    def numbers(self) -> range:
        """Numbers of the jobs."""
        return range(self.first, self.last + 1)

    def log_of(self, number: int) -> str:
        """Return the log file of a job."""
        return self.log.replace(self.name, str(number)) if self.name else self.log

    def arguments(self, number: str) -> list[str]:
        """Return the command line that runs a job and writes its log."""
        return [sys.executable, "-S", "-E", ONE_JOB, self.name, number, self.log, *self.command]


def visible_gpus() -> list[str]:
    """Return the GPUs that jobs may use: CUDA_VISIBLE_DEVICES, else all that nvidia-smi lists."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [gpu for gpu in visible.split(",") if gpu.strip()]
    if shutil.which("nvidia-smi") is None:
        return []
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout
    return [str(i) for i, line in enumerate(line for line in listing.splitlines() if line.startswith("GPU "))]


def _local_slots(request: Request) -> list[str | None]:
    """Return one entry per job that may run at a time: its GPUs, or None."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = request.max_jobs or max(1, cores // max(1, request.threads))
    if request.memory:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        limit = min(limit, max(1, total // request.memory))
    if not request.gpus:
        return [None] * limit
    gpus = visible_gpus()
    if len(gpus) < request.gpus:
        raise JobError(f"a job needs {request.gpus} GPUs and {len(gpus)} are visible here; run with --ngpu {len(gpus)}")
    sets = [",".join(gpus[i : i + request.gpus]) for i in range(0, len(gpus) - request.gpus + 1, request.gpus)]
    return sets[: min(limit, len(sets)) if request.max_jobs or request.memory else len(sets)]


def _start_local(request: Request, number: int, gpus: str | None) -> subprocess.Popen[bytes]:
    environment = dict(os.environ, MTL_RUNNER_PID=str(os.getpid()))
    if request.threads:
        environment["OMP_NUM_THREADS"] = str(request.threads)
    if gpus is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpus
    # A session of its own: Ctrl-C reaches the runner alone, which then ends the jobs in order.
    return subprocess.Popen(request.arguments(str(number)), env=environment, start_new_session=True)


def run_local(request: Request, poll: Callable[[int], None]) -> list[int]:
    """Run the jobs here, at most `max_jobs` at a time; return the numbers of those that failed.

    `poll` is called several times a second with the number of finished jobs.
    """
    free, waiting = _local_slots(request), list(request.numbers)
    running: dict[int, tuple[subprocess.Popen[bytes], str | None]] = {}
    failed: list[int] = []
    try:
        while waiting or running:
            while waiting and free:
                number, slot = waiting.pop(0), free.pop(0)
                running[number] = (_start_local(request, number, slot), slot)
            for number, (process, slot) in list(running.items()):
                if process.poll() is not None:
                    del running[number]
                    free.append(slot)
                    failed += [number] if process.returncode else []
            poll(len(request.numbers) - len(waiting) - len(running))
            time.sleep(0.02)
    finally:
        for process, _ in running.values():
            process.send_signal(signal.SIGTERM)
        for process, _ in running.values():
            process.wait()
    return sorted(failed)


def _slurm_command(request: Request, script: str) -> list[str]:
    words = ["sbatch", "--wait", "--parsable", f"--job-name={os.path.basename(request.log)}"]
    words += [f"--output={script}.%A_%a.out" if request.name else f"--output={script}.%j.out"]
    if request.name:
        limit = f"%{request.max_jobs}" if request.max_jobs else ""
        words.append(f"--array={request.first}-{request.last}{limit}")
    words += [f"--cpus-per-task={request.threads}"] if request.threads else []
    words += [f"--gres=gpu:{request.gpus}"] if request.gpus else []
    words += [f"--mem={-(-request.memory // 2**20)}M"] if request.memory else []
    return [*words, *shlex.split(os.environ.get("MTL_SUBMIT_OPTIONS", "")), script]


def _sge_command(request: Request, script: str) -> list[str]:
    words = ["qsub", "-sync", "y", "-terse", "-V", "-cwd", "-S", "/bin/bash", "-j", "y", "-o", script + ".out"]
    words += ["-N", "j" + os.path.basename(request.log)]
    if request.name:
        words += ["-t", f"{request.first}-{request.last}"]
        words += ["-tc", str(request.max_jobs)] if request.max_jobs else []
    words += ["-pe", os.environ.get("MTL_SGE_PE", "smp"), str(request.threads)] if request.threads else []
    words += ["-l", f"gpu={request.gpus}"] if request.gpus else []
    words += ["-l", f"mem_free={-(-request.memory // 2**20)}M"] if request.memory else []
    return [*words, *shlex.split(os.environ.get("MTL_SUBMIT_OPTIONS", "")), script]


# Backend: (command to submit, variable with the task's number, command to cancel).
_CLUSTERS = {
    "slurm": (_slurm_command, "SLURM_ARRAY_TASK_ID", "scancel"),
    "sge": (_sge_command, "SGE_TASK_ID", "qdel"),
}


def _write_script(request: Request, variable: str) -> str:
    """Write the script that the cluster runs for every job; return its path."""
    folder = os.path.join(os.path.dirname(request.log) or ".", "q")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(os.path.abspath(folder), os.path.basename(request.log) + ".sh")
    number = "@MTL_NUMBER@"
    words = shlex.join(request.arguments(number)).replace(number, f'"${{{variable}}}"' if request.name else "1")
    threads = f"export OMP_NUM_THREADS={request.threads}\n" if request.threads else ""
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/bash\ncd {shlex.quote(os.getcwd())} || exit 1\n{threads}exec {words}\n")
    return path


def ended_well(log: str) -> bool | None:
    """Return whether a log says that its job ended with code 0; None if it does not say yet."""
    with contextlib.suppress(FileNotFoundError), open(log, "rb") as file:
        file.seek(max(0, os.path.getsize(log) - 4096))
        lines = file.read().decode(errors="replace").splitlines()
        if lines and lines[-1].startswith("# Ended (code "):
            return lines[-1].startswith("# Ended (code 0)")
    return None


def _submitted(process: subprocess.Popen[str], cancel: str, poll: Callable[[], None]) -> tuple[str, int]:
    """Wait for a submission to end; cancel the job if this process is stopped.

    Returns the job, empty if it was refused, and the exit code.
    """
    job = ""
    try:
        assert process.stdout is not None
        job = process.stdout.readline().strip().split(";")[0].split(".")[0]
        while process.poll() is None:
            poll()
            time.sleep(0.1)
    finally:
        if process.returncode is None:
            if job:
                subprocess.run([cancel, job], check=False)
            process.terminate()
            process.wait()
    return job, process.returncode


def run_cluster(backend: str, request: Request, poll: Callable[[int], None]) -> list[int]:
    """Run the jobs through Slurm or SGE, as one array; return the numbers of those that failed.

    Raises:
        JobError: The submission itself failed.
    """
    build, variable, cancel = _CLUSTERS[backend]
    command = build(request, _write_script(request, variable))
    if shutil.which(command[0]) is None:
        raise JobError(f"{command[0]} is not on PATH; is this a {backend} host? cmd_backend=local runs here")

    def count() -> None:
        poll(sum(ended_well(request.log_of(number)) is not None for number in request.numbers))

    job, code = _submitted(subprocess.Popen(command, stdout=subprocess.PIPE, text=True), cancel, count)
    if code and not job:
        raise JobError(f"{command[0]} refused the job, as it says above: {shlex.join(command)}")
    results = list(_wait_for_logs(request))
    if code and all(well is None for well in results):
        raise JobError(f"{command[0]} ended with code {code} and no job left a log: {shlex.join(command)}")
    return [number for number, well in zip(request.numbers, results, strict=True) if not well]


def _wait_for_logs(request: Request) -> Iterator[bool | None]:
    deadline = time.monotonic() + LOG_WAIT
    for number in request.numbers:
        while (well := ended_well(request.log_of(number))) is None and time.monotonic() < deadline:
            time.sleep(0.2)
        yield well
