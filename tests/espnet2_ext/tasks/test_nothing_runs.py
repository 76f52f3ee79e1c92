"""No file that a training loads runs code."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_dump import make_dump

from espnet2_ext.errors import UserError
from espnet2_ext.tasks.mtl import MTLTask


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("kind", ["pipe", "pickle", "init_param", "checkpoint", "tasks", "stats"])
def test_no_input_runs_code(options: list[str], tmp_path: Path, kind: str) -> None:
    marker, out, folder = tmp_path / "marker", tmp_path / "exp", tmp_path / "dump"
    make_dump(folder, 9, 0, "tr")
    more = []
    if kind == "pipe":
        (folder / "feats.scp").write_text(f"tr0-000 touch {marker} |\n")
        more = ["--train_dir", str(folder)]
    if kind == "pickle":
        (folder / "feats.ark").write_bytes(b"tr0-000 PKL" + pickle.dumps(Payload(marker)))
        (folder / "feats.scp").write_text(f"tr0-000 {folder}/feats.ark:8\n")
        more = ["--train_dir", str(folder)]
    if kind == "init_param":
        torch.save({"a": Payload(marker)}, tmp_path / "x.pth")
        more = ["--init_param", f"{tmp_path}/x.pth:encoder:encoder"]
    if kind == "checkpoint":
        out.mkdir()
        torch.save({"model": Payload(marker)}, out / "checkpoint.pth")
    if kind == "tasks":
        (tmp_path / "tasks.yaml").write_text(f"tasks: !!python/object/apply:os.system ['touch {marker}']\n")
        more = ["--task_config", str(tmp_path / "tasks.yaml")]
    if kind == "stats":
        np.savez(tmp_path / "s.npz", count=np.array(Payload(marker), dtype=object), sum=0, sum_square=0)
        more = ["--feature_stats", str(tmp_path / "s.npz")]
    marker.unlink(missing_ok=True)
    with pytest.raises(UserError):
        MTLTask.main(cmd=[*options, "--output_dir", str(out), *more])
    assert not marker.exists()
