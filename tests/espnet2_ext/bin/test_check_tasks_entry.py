"""The entry point of stage 4."""

import os
import subprocess
import sys
from pathlib import Path

import yaml
from tiny_dump import TASKS, make_dump

ROOT = Path(__file__).parents[3]


def check(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, "-m", "espnet2_ext.bin.check_tasks", "--tasks", str(folder / "tasks.yaml"), "--train",
        str(folder / "train"), "--out", str(folder / "stats.yaml"), *options,
    ]  # fmt: skip
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def test_statistics_or_one_line(tmp_path: Path) -> None:
    make_dump(tmp_path / "train", 12, 0, "tr")
    (tmp_path / "tasks.yaml").write_text(yaml.safe_dump(TASKS))
    result = check(tmp_path, "--others", str(tmp_path / "train"))
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in result.stderr
    assert "speakers are in both" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "stats.yaml").exists()
    result = check(tmp_path, "--others", str(tmp_path / "train"), "--allow-speaker-overlap", "true")
    assert result.returncode == 0, result.stderr
    assert set(yaml.safe_load((tmp_path / "stats.yaml").read_text())) == {"emotion", "age", "country"}
