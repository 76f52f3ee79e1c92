"""Checkpoints: safe to load, noticed when torn, never half-written."""

import errno
import logging
import os
import pickle
import resource
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from espnet2_ext.errors import UserError
from espnet2_ext.train import checkpoint

STATE = {"model": {"a.weight": torch.arange(1000.0)}, "epoch": 3, "text": "x", "none": None}


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.marker}",)


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    checkpoint.save(STATE, path)
    loaded = checkpoint.load(path)
    assert torch.equal(loaded["model"]["a.weight"], STATE["model"]["a.weight"])
    assert (loaded["epoch"], loaded["text"], loaded["none"]) == (3, "x", None)
    assert [p.name for p in tmp_path.iterdir()] == ["x.pth"]


@pytest.mark.parametrize("kind", ["torch", "torch legacy", "plain pickle", "inside a state"])
def test_pickled_payload_is_refused_and_runs_nothing(tmp_path: Path, kind: str) -> None:
    path, payload = tmp_path / "x.pth", Payload(tmp_path / "marker")
    if kind == "plain pickle":
        path.write_bytes(pickle.dumps(payload))
    else:
        obj = {"a.weight": torch.zeros(2), "more": payload} if kind == "inside a state" else payload
        torch.save(obj, path, _use_new_zipfile_serialization=kind != "torch legacy")
    with pytest.raises(UserError, match=r"x\.pth: torn or not a file of weights") as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)
    assert not payload.marker.exists()


def test_torn_anywhere(tmp_path: Path) -> None:
    checkpoint.save(STATE, tmp_path / "x.pth")
    data = (tmp_path / "x.pth").read_bytes()
    path = tmp_path / "torn.pth"
    for size in [*range(0, len(data), 97), 1, len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(UserError, match=r"torn\.pth: torn"):
            checkpoint.load(path)


def test_a_flipped_byte_of_a_weight_is_noticed(tmp_path: Path) -> None:
    """torch itself loads it without a word."""
    path = tmp_path / "x.pth"
    checkpoint.save(STATE, path)
    data = bytearray(path.read_bytes())
    start = data.find(STATE["model"]["a.weight"].numpy().tobytes()[:64])
    data[start + 2001] ^= 64
    path.write_bytes(data)
    assert not torch.equal(torch.load(path, weights_only=True)["model"]["a.weight"], STATE["model"]["a.weight"])
    with pytest.raises(UserError, match="torn"):
        checkpoint.load(path)


def test_random_damage_is_a_user_error_or_harmless(tmp_path: Path) -> None:
    """Any bytes: one line, never another exception."""
    checkpoint.save(STATE, tmp_path / "x.pth")
    data, path = (tmp_path / "x.pth").read_bytes(), tmp_path / "y.pth"
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            loaded = checkpoint.load(path)
        except UserError:
            continue
        assert torch.equal(loaded["model"]["a.weight"], STATE["model"]["a.weight"])
    for _ in range(50):
        path.write_bytes(rng.bytes(200))
        with pytest.raises(UserError):
            checkpoint.load(path)


def test_other_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as file:
        file.writestr("a", "b")
    (tmp_path / "folder.pth").mkdir()
    for name in ("zip.pth", "folder.pth", "gone.pth"):
        with pytest.raises(UserError, match=name):
            checkpoint.load(tmp_path / name)


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.pth"
    checkpoint.save({"old": torch.ones(1)}, path)

    def full(obj: Any, file: Path) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as context:
        context.setattr(torch, "save", full)
        with pytest.raises(UserError, match=r"x\.pth: cannot be written"):
            checkpoint.save(STATE, path)
    assert checkpoint.load(path)["old"].item() == 1
    assert [p.name for p in tmp_path.iterdir()] == ["x.pth"]


def save_with_limit(path: Path, limit: int) -> str:
    """Save in a child process whose files may not grow beyond `limit` bytes; return its message."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            checkpoint.save(STATE | {"large": torch.zeros(100_000)}, path)
            os.write(writing, b"saved")
        except UserError as error:
            os.write(writing, str(error).encode())
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        message = pipe.read().decode()
    os.waitpid(pid, 0)
    return message


@pytest.mark.parametrize("limit", [0, 100, 5_000, 200_000])
def test_a_write_that_fails_in_torch_leaves_the_old_file(tmp_path: Path, limit: int) -> None:
    """torch's zip writer has its own messages for a write that fails."""
    path = tmp_path / "x.pth"
    checkpoint.save({"old": torch.ones(1)}, path)
    message = save_with_limit(path, limit)
    assert "x.pth: cannot be written" in message
    assert "\n" not in message
    assert checkpoint.load(path)["old"].item() == 1
    assert [p.name for p in tmp_path.iterdir()] == ["x.pth"]


def test_the_checkpoint_before_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert checkpoint.load_checkpoint(tmp_path) is None
    for epoch in (1, 2, 3):
        checkpoint.save_checkpoint(tmp_path, {"epoch": epoch})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.prev.pth", "checkpoint.pth"]
    assert checkpoint.load_checkpoint(tmp_path) == {"epoch": 3}
    (tmp_path / "checkpoint.pth").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        assert checkpoint.load_checkpoint(tmp_path) == {"epoch": 2}
    assert "checkpoint.pth: torn" in caplog.text
    assert "falling back" in caplog.text
    (tmp_path / "checkpoint.prev.pth").write_bytes(b"PK")
    with pytest.raises(UserError, match="no checkpoint can be read"):
        checkpoint.load_checkpoint(tmp_path)


def test_link_replaces(tmp_path: Path) -> None:
    link = tmp_path / "best.pth"
    for name in ("1epoch.pth", "2epoch.pth"):
        (tmp_path / name).write_text(name)
        checkpoint.link(link, name)
        assert link.read_text() == name
        assert os.readlink(link) == name


def test_average(tmp_path: Path) -> None:
    """Floating point entries of any width as numpy's float64 mean; integers are those of the first, not a sum."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(4, 3)) for _ in range(3)]
    paths = []
    for number, array in enumerate(arrays):
        state = {
            "f64": torch.from_numpy(array), "f32": torch.from_numpy(array).float(),
            "f16": torch.from_numpy(array).half(), "steps": torch.tensor(10 * number + 7),
            "flag": torch.tensor(number == 0),
        }  # fmt: skip
        paths.append(tmp_path / f"{number}.pth")
        checkpoint.save(state, paths[-1])
    result = checkpoint.average(paths)
    expected = np.mean(arrays, axis=0)
    np.testing.assert_allclose(result["f64"].numpy(), expected, rtol=1e-14)
    np.testing.assert_allclose(
        result["f32"].numpy(), np.mean([a.astype(np.float32) for a in arrays], axis=0, dtype=np.float64), rtol=1e-7
    )
    np.testing.assert_allclose(result["f16"].float().numpy(), expected, rtol=2e-3, atol=1e-3)
    assert (result["steps"].item(), result["flag"].item()) == (7, True)
    assert [result[k].dtype for k in ("f32", "f64", "f16")] == [torch.float32, torch.float64, torch.float16]


def test_average_of_one_is_it(tmp_path: Path) -> None:
    checkpoint.save({"a": torch.tensor([0.1])}, tmp_path / "x.pth")
    assert torch.equal(checkpoint.average([tmp_path / "x.pth"])["a"], torch.tensor([0.1]))
