"""Feature statistics against numpy."""

from pathlib import Path

import numpy as np
import pytest
from tiny_dump import make_dump

from espnet2_ext.bin.collect_stats import collect_stats, main
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark import ArkReader, ArkWriter
from espnet2_ext.mtl.normalize.global_mvn import read_feature_stats


def write(folder: Path, *arrays: np.ndarray) -> Path:
    with ArkWriter(folder / "feats.ark", folder / "feats.scp") as writer:
        for number, array in enumerate(arrays):
            writer.write(f"u{number}", array)
    return folder / "feats.scp"


def test_against_numpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_dump(tmp_path / "d", 12, 0, "tr")
    scp, out = tmp_path / "d/feats.scp", tmp_path / "stats/feats_stats.npz"
    monkeypatch.setattr("sys.argv", ["collect_stats", "--scp", str(scp), "--out", str(out)])
    main()
    reader = ArkReader(scp)
    frames = np.concatenate([reader[utt] for utt in reader.keys()]).astype(np.float64)  # noqa: SIM118
    with np.load(out, allow_pickle=False) as stats:
        assert int(stats["count"]) == len(frames)
    mean, std = read_feature_stats(out, frames.shape[1], eps=1e-5)
    np.testing.assert_allclose(mean, frames.mean(0), rtol=1e-10)
    np.testing.assert_allclose(std, frames.std(0), rtol=1e-8)


def test_sums_are_float64(tmp_path: Path) -> None:
    """In float32, 1,000 + 20,000 x 1e-5 stays 1,000."""
    values = np.full((20001, 1), 1e-5, np.float32)
    values[0] = 1000
    stats = collect_stats(write(tmp_path, values))
    assert stats["sum"][0] == pytest.approx(1000 + 20000 * float(np.float32(1e-5)), rel=1e-12)


def test_other_width(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="u1: features of shape"):
        collect_stats(write(tmp_path, np.ones((3, 4)), np.ones((3, 5))))


def test_vectors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="u0"):
        collect_stats(write(tmp_path, np.ones(4)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite(tmp_path: Path, value: float) -> None:
    scp = write(tmp_path, np.ones((3, 4)), np.ones((3, 4)))
    data = bytearray((tmp_path / "feats.ark").read_bytes())
    data[-4:] = np.array([value], "<f4").tobytes()
    (tmp_path / "feats.ark").write_bytes(data)
    with pytest.raises(UserError, match="u1: features hold NaN or infinity"):
        collect_stats(scp)


def test_no_frame(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no frame"):
        collect_stats(write(tmp_path, np.ones((0, 4))))


def test_torn_ark(tmp_path: Path) -> None:
    scp = write(tmp_path, np.ones((30, 4)))
    (tmp_path / "feats.ark").write_bytes((tmp_path / "feats.ark").read_bytes()[:100])
    with pytest.raises(UserError, match="u0: torn archive"):
        collect_stats(scp)


def test_nothing_is_left_behind_by_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scp = write(tmp_path, np.ones((3, 4)), np.ones((3, 5)))
    monkeypatch.setattr("sys.argv", ["collect_stats", "--scp", str(scp), "--out", str(tmp_path / "o/stats.npz")])
    with pytest.raises(UserError):
        main()
    assert not (tmp_path / "o").exists()
