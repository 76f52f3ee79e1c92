"""run.sh, slurm.sh and sge.sh: one interface, checked by what the logs and the processes say."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tool_support import UTILS, Result, Tool, clean_environment

# Stand-ins for the clusters' commands: they run every task here, as the real ones would on their hosts.
SBATCH = """#!/bin/bash
echo "sbatch $*" >> {calls}
for word in "$@"; do
    case $word in
        --array=*) array=${{word#--array=}} ;;
        --*) ;;
        *) script=$word ;;
    esac
done
echo "77;cluster"
if [ -n "${{HANG:-}}" ]; then exec sleep 60; fi
status=0
array=${{array%%\\%*}}
for i in $(seq "${{array%-*}}" "${{array#*-}}"); do
    SLURM_ARRAY_TASK_ID=$i bash "$script" || status=1
done
exit $status
"""
QSUB = """#!/bin/bash
echo "qsub $*" >> {calls}
while [ $# -gt 1 ]; do
    if [ "$1" = -t ]; then array=$2; fi
    shift
done
echo "78.1-3:1"
if [ -n "${{HANG:-}}" ]; then exec sleep 60; fi
status=0
for i in $(seq "${{array%-*}}" "${{array#*-}}"); do
    SGE_TASK_ID=$i bash "$1" || status=1
done
exit $status
"""
CANCEL = """#!/bin/bash
echo "$(basename "$0") $*" >> {calls}
"""
ALL = ("run.sh", "slurm.sh", "sge.sh")


@pytest.fixture
def runner(tool: Tool, tmp_path: Path) -> Callable[..., Result]:
    """Call a runner with stand-ins for the clusters' commands on PATH."""
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name, text in (("sbatch", SBATCH), ("qsub", QSUB), ("scancel", CANCEL), ("qdel", CANCEL)):
        (stubs / name).write_text(text.format(calls=tmp_path / "calls"))
        (stubs / name).chmod(0o755)

    def run(name: str, *arguments: object, **environment: str) -> Result:
        path = f"{stubs}:{clean_environment()['PATH']}"
        return tool(name, *arguments, **{"PATH": path, "MTL_LOG_WAIT": "0.5", **environment})

    return run


@pytest.mark.parametrize("name", ALL)
def test_array_of_jobs(runner: Callable[..., Result], tmp_path: Path, name: str) -> None:
    result = runner(name, "JOB=1:3", "new/log/do.JOB.log", "printf", "[%s]", "a JOB", "$HOME; |", "JOBJOB")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    for job in (1, 2, 3):
        lines = (tmp_path / f"new/log/do.{job}.log").read_text().splitlines()
        assert lines[0] == f"# printf '[%s]' 'a {job}' '$HOME; |' {job}{job}"
        assert lines[1] == f"# Host {os.uname().nodename}, directory {tmp_path}"
        assert lines[2].startswith("# Started at ")
        text = "\n".join(lines)
        assert f"[a {job}][$HOME; |][{job}{job}]" in text
        assert "# Ended (code 0) at " in lines[-1]


@pytest.mark.parametrize("name", ALL)
def test_failed_jobs_are_named_with_the_end_of_their_logs(runner: Callable[..., Result], name: str) -> None:
    result = runner(name, "JOB=1:3", "log/x.JOB.log", "bash", "-c", "echo said JOB; [ JOB = 2 ] || exit 7")
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0] == f"{name}: error: 2 of 3 jobs failed; see log/x.1.log log/x.3.log"
    assert "said 1" in lines
    assert "said 3" in lines
    assert "said 2" not in lines
    assert sum(line.startswith("# Ended (code 7)") for line in lines) == 2


@pytest.mark.parametrize("name", ["run.sh", "slurm.sh"])
def test_plain_command_without_array(runner: Callable[..., Result], tmp_path: Path, name: str) -> None:
    if name == "slurm.sh":
        # Without an array the stand-in gets an empty range and must still run the script once.
        stub = tmp_path / "stubs/sbatch"
        stub.write_text('#!/bin/bash\necho 5\nexec bash "${@: -1}"\n')
    assert runner(name, "one.log", "echo", "JOB").returncode == 0
    assert "\nJOB\n" in (tmp_path / "one.log").read_text()


def test_command_that_does_not_exist(runner: Callable[..., Result], tmp_path: Path) -> None:
    result = runner("run.sh", "x.log", "no_such_program")
    assert result.returncode == 1
    assert "# cannot run no_such_program: No such file or directory" in result.stderr
    assert "(code 127)" in (tmp_path / "x.log").read_text()


def test_signal_is_told(runner: Callable[..., Result], tmp_path: Path) -> None:
    assert runner("run.sh", "x.log", "bash", "-c", "kill -KILL $$").returncode == 1
    assert "(code 137)" in (tmp_path / "x.log").read_text()


def test_at_most_max_jobs_run_at_a_time(runner: Callable[..., Result], tmp_path: Path) -> None:
    count = "touch on.JOB; ls on.* | wc -l; sleep 0.2; rm on.JOB"
    assert runner("run.sh", "--max-jobs-run", 2, "JOB=1:5", "JOB.log", "bash", "-c", count).returncode == 0
    seen = [int((tmp_path / f"{job}.log").read_text().splitlines()[4]) for job in range(1, 6)]
    assert max(seen) == 2


def test_options_after_the_array_and_with_equals_sign(runner: Callable[..., Result], tmp_path: Path) -> None:
    command = ["bash", "-c", "echo threads=$OMP_NUM_THREADS"]
    assert runner("run.sh", "JOB=1:1", "--num-threads=3", "--mem", "1M", "JOB.log", *command).returncode == 0
    assert "threads=3" in (tmp_path / "1.log").read_text()


def test_every_local_job_gets_its_own_gpus(runner: Callable[..., Result], tmp_path: Path) -> None:
    command = ["bash", "-c", "echo gpus=$CUDA_VISIBLE_DEVICES; sleep 0.2"]
    result = runner("run.sh", "--gpu", 2, "JOB=1:2", "JOB.log", *command, CUDA_VISIBLE_DEVICES="4,5,6,7,8")
    assert result.returncode == 0
    assert [(tmp_path / f"{job}.log").read_text().splitlines()[4] for job in (1, 2)] == ["gpus=4,5", "gpus=6,7"]


def test_too_few_gpus(runner: Callable[..., Result]) -> None:
    result = runner("run.sh", "--gpu", 2, "x.log", "true", CUDA_VISIBLE_DEVICES="3")
    assert result.returncode == 2
    assert result.stderr == "run.sh: error: a job needs 2 GPUs and 1 are visible here; run with --ngpu 1\n"


def test_follow_shows_the_log(runner: Callable[..., Result]) -> None:
    result = runner("run.sh", "--follow", "true", "x.log", "bash", "-c", "echo seen; sleep 0.3")
    assert result.returncode == 0
    assert "\nseen\n" in result.stderr


def test_log_of_a_failed_call_is_kept_and_never_taken_for_a_new_one(
    runner: Callable[..., Result], tmp_path: Path
) -> None:
    runner("run.sh", "x.log", "bash", "-c", "echo first; exit 1")
    assert runner("run.sh", "x.log", "echo", "second").returncode == 0
    assert "first" in (tmp_path / "x.log.old").read_text()
    (tmp_path / "stubs/sbatch").write_text("#!/bin/bash\necho 5\n")
    result = runner("slurm.sh", "x.log", "echo", "third")
    assert result.returncode == 1
    assert result.stderr.splitlines()[0] == "slurm.sh: error: 1 of 1 jobs failed; see x.log"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["JOB=1:2", "x.log", "true"], "x.log: the log of several jobs needs JOB in its name"),
        (["JOB=0:2", "JOB.log", "true"], "JOB=0:2: jobs are numbered from 1, first to last"),
        (["JOB=3:2", "JOB.log", "true"], "JOB=3:2: jobs are numbered from 1, first to last"),
        (["--max-jobs-run", "0", "x.log", "true"], "--max-jobs-run takes a whole number from 1, not '0'"),
        (["--mem", "lots", "x.log", "true"], "--mem takes a size such as 4G, not 'lots'"),
        (["--queue", "x", "x.log", "true"], "--queue: unknown option; known are --max-jobs-run"),
        (["x.log"], "give a log file and a command; --help shows how"),
    ],
)
def test_wrong_calls(runner: Callable[..., Result], arguments: list[str], message: str) -> None:
    result = runner("run.sh", *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"run.sh: error: {message}")
    assert len(result.stderr.splitlines()) == 1


def test_what_slurm_is_asked(runner: Callable[..., Result], tmp_path: Path) -> None:
    options = ["--max-jobs-run", 2, "--num-threads", 3, "--gpu", 1, "--mem", "1.5G"]
    result = runner(
        "slurm.sh", *options, "J=2:4", "log/J.log", "bash", "-c", "echo $OMP_NUM_THREADS", MTL_SUBMIT_OPTIONS="-p 'a b'"
    )
    assert result.returncode == 0
    call = (tmp_path / "calls").read_text()
    for word in ("--wait", "--array=2-4%2", "--cpus-per-task=3", "--gres=gpu:1", "--mem=1536M", "-p a b"):
        assert f" {word} " in call
    assert [(tmp_path / f"log/{j}.log").read_text().splitlines()[4] for j in (2, 3, 4)] == ["3"] * 3


def test_what_sge_is_asked(runner: Callable[..., Result], tmp_path: Path) -> None:
    options = ["--max-jobs-run", 2, "--num-threads", 3, "--gpu", 1, "--mem", "2G"]
    result = runner("sge.sh", *options, "J=1:3", "J.log", "true", MTL_SUBMIT_OPTIONS="-q long.q", MTL_SGE_PE="omp")
    assert result.returncode == 0
    call = (tmp_path / "calls").read_text()
    for word in ("-sync y", "-t 1-3", "-tc 2", "-pe omp 3", "-l gpu=1", "-l mem_free=2048M", "-q long.q"):
        assert f" {word} " in call


def test_refused_submission(runner: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "stubs/sbatch").write_text("#!/bin/bash\necho 'sbatch: invalid partition' >&2\nexit 1\n")
    result = runner("slurm.sh", "JOB=1:2", "JOB.log", "true")
    assert result.returncode == 2
    first, second = result.stderr.splitlines()
    assert first == "sbatch: invalid partition"
    assert second.startswith("slurm.sh: error: sbatch refused the job, as it says above: sbatch --wait")


def test_job_that_never_started(runner: Callable[..., Result], tmp_path: Path) -> None:
    """As one that is cancelled while it waits."""
    (tmp_path / "stubs/sbatch").write_text("#!/bin/bash\necho 77\nexit 1\n")
    result = runner("slurm.sh", "JOB=1:2", "JOB.log", "true", MTL_LOG_WAIT="0.1")
    assert result.returncode == 2
    assert "sbatch ended with code 1 and no job left a log: sbatch --wait" in result.stderr


def test_cluster_that_is_not_there(tool: Tool, tmp_path: Path) -> None:
    # On a cluster's host, qsub may be beside the shell.
    (tmp_path / "bin").mkdir()
    for name in ("bash", "dirname", "python3"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name, path=clean_environment()["PATH"]))
    result = tool("sge.sh", "x.log", "true", PATH=str(tmp_path / "bin"))
    assert result.returncode == 2
    assert result.stderr.startswith("sge.sh: error: qsub is not on PATH;")


def alive(marker: str) -> list[int]:
    """Processes whose command line holds the marker."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if marker.encode() in command and state != "Z":
                found.append(int(folder.name))
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopping_the_runner_ends_all_descendants(tmp_path: Path, signum: signal.Signals) -> None:
    # Each job starts a grandchild in a session of its own, which a signal to the process group does not reach.
    marker = f"marker_{os.getpid()}_{signum}"
    job = tmp_path / "job.sh"
    job.write_text(f"setsid bash -c 'sleep 300; : {marker}' &\nbash -c 'sleep 300; : {marker}'\n")
    process = subprocess.Popen(
        [str(UTILS / "run.sh"), "--max-jobs-run", "2", "JOB=1:2", "JOB.log", "bash", str(job)],
        cwd=tmp_path,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert wait_until(lambda: len(alive(marker)) == 4)
        process.send_signal(signum)
        _, messages = process.communicate(timeout=30)
        assert wait_until(lambda: not alive(marker))
    finally:
        process.kill()
        for pid in alive(marker):
            os.kill(pid, signal.SIGKILL)
    if signum != signal.SIGKILL:
        assert process.returncode == 128 + signum
        assert messages == f"run.sh: stopped by signal {signum.value}; the jobs were ended\n"
    assert wait_until(lambda: "# Ended (code 143)" in (tmp_path / "1.log").read_text())


@pytest.mark.parametrize(("name", "cancel"), [("slurm.sh", "scancel 77"), ("sge.sh", "qdel 78")])
def test_stopping_cancels_the_clusters_job(
    runner: Callable[..., Result], tmp_path: Path, name: str, cancel: str
) -> None:
    environment = clean_environment(HANG="1")
    environment["PATH"] = f"{tmp_path / 'stubs'}:{environment['PATH']}"
    process = subprocess.Popen(
        [str(UTILS / name), "JOB=1:3", "JOB.log", "true"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    )
    assert wait_until(lambda: (tmp_path / "calls").exists())
    # The runner reads the job's id from the first line, which follows the call at once.
    time.sleep(0.5)
    process.terminate()
    assert process.wait(timeout=20) == 128 + signal.SIGTERM
    assert (tmp_path / "calls").read_text().splitlines()[-1] == cancel
