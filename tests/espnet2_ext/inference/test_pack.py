"""Packs: complete, equal to their experiment, and refused where they are not what they claim."""

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_model import make_model

from espnet2_ext.errors import UserError
from espnet2_ext.inference import MTLInference
from espnet2_ext.inference.pack import read_members, read_pack, write_pack


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "exp"
    make_model(path)
    return path


@pytest.fixture(scope="module")
def pack(exp: Path) -> Path:
    out = exp.parent / "model.zip"
    write_pack(exp, "valid.score.ave.pth", out)
    return out


def test_pack_predicts_as_the_experiment_and_needs_nothing_else(exp: Path, pack: Path, tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere.zip"
    shutil.copy(pack, alone)
    wave = np.random.default_rng(0).normal(size=16000).astype(np.float32) * 0.1
    assert MTLInference.from_pretrained(alone)(wave, 16000) == MTLInference.from_pretrained(exp)(wave, 16000)


def test_same_model_same_bytes(exp: Path, pack: Path, tmp_path: Path) -> None:
    write_pack(exp, "valid.score.ave.pth", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == pack.read_bytes()


def test_card_and_no_private_paths(pack: Path) -> None:
    members = read_members(pack)
    card = members["README.md"].decode()
    for text in ("joy, fear", "here, there", "years", "age_mae | 4.5000", "s_mtl | 0.2500", "log_mel", "revision abc"):
        assert text in card
    assert b"/somewhere/private" not in b"".join(members.values())
    assert yaml.safe_load(members["tasks.yaml"])["score"]["name"] == "s_mtl"


def repack(pack: Path, out: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    members = read_members(pack)
    change(members)
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out


def weights(change: Callable[[dict], None]) -> Callable[[dict[str, bytes]], None]:
    def apply(members: dict[str, bytes]) -> None:
        state = torch.load(io.BytesIO(members["model.pth"]), weights_only=True)
        change(state)
        buffer = io.BytesIO()
        torch.save(state, buffer)
        members["model.pth"] = buffer.getvalue()

    return apply


def config(**changes: object) -> Callable[[dict[str, bytes]], None]:
    def apply(members: dict[str, bytes]) -> None:
        members["config.yaml"] = yaml.safe_dump(yaml.safe_load(members["config.yaml"]) | changes).encode()

    return apply


class Hostile:
    def __reduce__(self) -> tuple:
        return (open, ("hostile_ran", "w"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (weights(lambda state: state.pop("heads.age.target_mean")), "does not fit"),
        (weights(lambda state: state.update(extra=torch.zeros(1))), "does not fit"),
        (weights(lambda state: state.update(hostile=Hostile())), "torn or not a file of weights"),
        (config(format=2), "pack format 2"),
        (config(encoder="other"), "choose among"),
        (lambda members: members.update({"config.yaml": b"- 1"}), "holds no mapping"),
        (lambda members: members.update({"config.yaml": b"a: !!python/object:os.system {}"}), "not plain yaml"),
        (lambda members: members.update({"../outside": b"x"}), "../outside"),
        (lambda members: members.update({"/outside": b"x"}), "outside"),
        (lambda members: members.pop("feature.yaml"), "feature.yaml"),
        (lambda members: members.update({"model.pth": members["model.pth"][:500]}), "torn"),
        (lambda members: members.update({"tasks.yaml": b" " * (2**20 + 1)}), "claims"),
    ],
)
def test_bad_packs(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    bad = repack(pack, tmp_path / "bad.zip", change)
    with pytest.raises(UserError) as caught:
        read_pack(bad)
    assert message in str(caught.value)
    assert "bad.zip" in str(caught.value) or message == "choose among"
    assert len(str(caught.value).splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.zip"]


def test_symbolic_link_in_a_pack(pack: Path, tmp_path: Path) -> None:
    members = read_members(pack)
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if name == "tasks.yaml" else 0o100644) << 16
            archive.writestr(info, data)
    with pytest.raises(UserError, match=r"tasks\.yaml is no plain file"):
        read_pack(tmp_path / "bad.zip")


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all"])
def test_no_zip(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.zip").write_bytes(data)
    with pytest.raises(UserError, match="not a readable pack"):
        read_pack(tmp_path / "bad.zip")


def test_experiment_without_features_configuration(exp: Path, tmp_path: Path) -> None:
    shutil.copytree(exp, tmp_path / "exp")
    (tmp_path / "exp/feature.yaml").unlink()
    with pytest.raises(UserError, match=r"feature\.yaml"):
        write_pack(tmp_path / "exp", "valid.score.ave.pth", tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()
