"""One GPU for each command at a time."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "utils/with_free_gpu.sh"


def test_two_commands_get_two_gpus_and_a_third_waits(tmp_path: Path) -> None:
    env = os.environ | {"CUDA_VISIBLE_DEVICES": "3,5"}
    log = tmp_path / "log"
    command = f'echo "start $CUDA_VISIBLE_DEVICES" >> {log}; sleep 1.5; echo "end $CUDA_VISIBLE_DEVICES" >> {log}'
    running = [subprocess.Popen([SCRIPT, tmp_path / "locks", "bash", "-c", command], env=env) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    lines = log.read_text().split("\n")[:-1]
    assert sorted(lines[:2]) == ["start 3", "start 5"]
    assert lines[2].startswith("end ")
    assert sorted(line for line in lines if line.startswith("end"))[0] in ("end 3", "end 5")
    assert len(lines) == 6


def test_exit_status_is_the_commands(tmp_path: Path) -> None:
    env = os.environ | {"CUDA_VISIBLE_DEVICES": "0"}
    assert subprocess.run([SCRIPT, tmp_path, "bash", "-c", "exit 7"], env=env, check=False).returncode == 7
