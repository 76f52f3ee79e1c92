"""Feature normalisation against numpy."""

from pathlib import Path

import numpy as np
import pytest
import torch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.normalize import GlobalMVN, UtteranceMVN

FEATS = np.random.default_rng(0).normal(3, 2, size=(3, 9, 4))
LENGTHS = [9, 5, 1]


def write(path: Path, feats: np.ndarray = FEATS, **changed: object) -> Path:
    frames = feats.reshape(-1, feats.shape[-1])
    np.savez(path, **{"count": len(frames), "sum": frames.sum(0), "sum_square": (frames**2).sum(0)} | changed)
    return path


def test_global(tmp_path: Path) -> None:
    norm = GlobalMVN(4, write(tmp_path / "s.npz"))
    frames = FEATS.reshape(-1, 4)
    np.testing.assert_allclose(
        norm(torch.from_numpy(FEATS).float()).numpy(), (FEATS - frames.mean(0)) / frames.std(0), rtol=1e-4, atol=1e-5
    )


def test_a_constant_bin_is_finite(tmp_path: Path) -> None:
    feats = FEATS.copy()
    feats[..., 2] = 7.3
    norm = GlobalMVN(4, write(tmp_path / "s.npz", feats))
    assert norm(torch.from_numpy(feats).float()).isfinite().all()


def test_a_checkpoint_carries_them(tmp_path: Path) -> None:
    norm = GlobalMVN(4, write(tmp_path / "s.npz"))
    other = GlobalMVN(4)
    assert not torch.equal(other.mean, norm.mean)
    other.load_state_dict(norm.state_dict())
    assert torch.equal(other.mean, norm.mean)
    assert torch.equal(other.std, norm.std)


class Payload:
    def __reduce__(self) -> tuple:
        return open, (str(self.marker), "w")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"count": 0}, "no frame"),
        ({"sum": np.ones(5)}, "statistics of 5 bins for features of 4"),
        ({"sum_square": np.ones(3)}, "run stage 5 again"),
    ],
)
def test_other_statistics(tmp_path: Path, changed: dict, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        GlobalMVN(4, write(tmp_path / "s.npz", **changed))


@pytest.mark.parametrize("content", [None, b"", b"torn", "missing key", "truncated"])
def test_unreadable(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "s.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    if content == "missing key":
        np.savez(path, count=3)
    if content == "truncated":
        write(path)
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="not a feature statistics file; run stage 5 again"):
        GlobalMVN(4, path)


def test_pickled_objects_are_refused_and_run_nothing(tmp_path: Path) -> None:
    payload = Payload()
    payload.marker = tmp_path / "marker"
    np.savez(tmp_path / "s.npz", count=np.array(payload, dtype=object), sum=np.ones(4), sum_square=np.ones(4))
    payload.marker.unlink(missing_ok=True)
    with pytest.raises(UserError, match="run stage 5 again"):
        GlobalMVN(4, tmp_path / "s.npz")
    assert not payload.marker.exists()


@pytest.mark.parametrize("norm_vars", [True, False])
def test_utterance(norm_vars: bool) -> None:
    norm = UtteranceMVN(4, norm_vars=norm_vars)
    result = norm(torch.from_numpy(FEATS), torch.tensor(LENGTHS)).numpy()
    for row, length in enumerate(LENGTHS):
        frames = FEATS[row, :length]
        expected = frames - frames.mean(0)
        if norm_vars:
            expected = expected / np.maximum(frames.std(0), 1e-5)
        np.testing.assert_allclose(result[row, :length], expected, rtol=1e-8, atol=1e-9)
        assert not result[row, length:].any()


def test_utterance_without_lengths() -> None:
    norm, feats = UtteranceMVN(4), torch.from_numpy(FEATS)
    torch.testing.assert_close(norm(feats), norm(feats, torch.tensor([9, 9, 9])))
