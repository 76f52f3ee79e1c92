"""Packs: complete, equal to their experiment, and refused where they are not what they claim."""

import io
import shutil
import subprocess
import sys
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
from espnet2_ext.inference.archive import read_archive, write_folder
from espnet2_ext.inference.pack import read_pack, write_pack

ROOT = Path(__file__).parents[3]
WEIGHTS = "valid.score.ave.pth"


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "egs/bursts/mtl1/exp/tiny"
    make_model(path)
    config = yaml.safe_load((path / "config.yaml").read_text())
    config |= {"output_dir": "exp/tiny", "task_stats": "exp/stats/task_stats.yaml", "train_dir": "/private/train"}
    (path / "config.yaml").write_text(yaml.safe_dump(config | {"valid_dir": "dump/log_mel/dev"}))
    (path.parent / "stats").mkdir()
    (path.parent / "stats/task_stats.yaml").write_text(yaml.safe_dump({"emotion": {"labelled": 31}}))
    return path


@pytest.fixture(scope="module")
def pack(exp: Path) -> Path:
    out = exp.parent / "model.zip"
    write_pack(exp, WEIGHTS, out)
    return out


def test_pack_predicts_as_the_experiment_and_needs_nothing_else(exp: Path, pack: Path, tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere.zip"
    shutil.copy(pack, alone)
    write_folder(read_archive(alone), tmp_path / "unpacked")
    wave = np.random.default_rng(0).normal(size=16000).astype(np.float32) * 0.1
    wanted = MTLInference.from_pretrained(exp)(wave, 16000)
    assert MTLInference.from_pretrained(alone)(wave, 16000) == wanted
    assert MTLInference.from_pretrained(tmp_path / "unpacked")(wave, 16000) == wanted


def test_pooling_of_frames_is_packed(tmp_path: Path) -> None:
    make_model(tmp_path / "exp", exit_conf={"pooling": "attention"})
    write_pack(tmp_path / "exp", WEIGHTS, tmp_path / "pack.zip")
    model = read_pack(tmp_path / "pack.zip").model
    assert {type(leave).__name__ for leave in model.exits.values()} == {"AttentionExit"}
    wave = np.random.default_rng(0).normal(size=16000).astype(np.float32) * 0.1
    wanted = MTLInference.from_pretrained(tmp_path / "exp")(wave, 16000)
    assert MTLInference.from_pretrained(tmp_path / "pack.zip")(wave, 16000) == wanted


def test_same_model_same_bytes(exp: Path, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(exp.parent)
    write_pack(Path(exp.name), WEIGHTS, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == pack.read_bytes()


def test_card_and_no_private_paths(exp: Path, pack: Path) -> None:
    members = read_archive(pack)
    card = members["README.md"].decode()
    for text in (
        "# tiny", "joy, fear", "here, there", "years", "age_mae | 4.5000", "s_mtl | 0.2500", "log_mel", "revision abc",
        "Sample rate: 16000 Hz", "Pack format: 1", "Trained on set `train` of recipe `bursts`",
        "Selected on set `dev` of recipe `bursts` by s_mtl", "Labelled training utterances: emotion 31",
    ):  # fmt: skip
        assert text in card, text
    content = b"".join(members.values())
    assert b"/private" not in content
    assert str(exp.parent).encode() not in content
    assert yaml.safe_load(members["tasks.yaml"])["score"]["name"] == "s_mtl"


def repack(pack: Path, out: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    members = read_archive(pack)
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


def newer(members: dict[str, bytes]) -> None:
    """What a later version may write: another format with another member, larger than ours may be."""
    config(format=2)(members)
    members["extra.bin"] = bytes(2**21)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (weights(lambda state: state.pop("heads.age.target_mean")), "Missing key(s) in state_dict"),
        (weights(lambda state: state.update(extra=torch.zeros(1))), "Unexpected key(s) in state_dict"),
        (weights(lambda state: state.update({"heads.age.target_mean": torch.zeros(7)})), "size mismatch"),
        (weights(lambda state: state.update(hostile=Hostile())), "torn or not a file of weights"),
        (newer, "pack format 2 is newer"),
        (config(format="1"), "format '1'"),
        (config(encoder="other"), "choose among"),
        (config(encoder=["other"]), "describes no model"),
        (config(encoder_conf="wide"), "describes no model"),
        (config(encoder_conf={"channels": [10**9, 10**9]}), "encoder_conf"),
        (config(input_size="wide"), "features of 16 bins for a model of wide"),
        (config(head_conf=None), "describes no model"),
        (config(crop_conf=None), "crop_conf holds no mapping"),
        (config(crop_conf={"frames": 0}), "crop_conf: crop: frames is a whole number from 1, not 0"),
        (config(crop_conf={"other": 1}), "crop_conf"),
        (lambda members: members.update({"feature.yaml": b"{n_mels: 16}"}), "feature.yaml: names no feature"),
        (lambda members: members.update({"feature.yaml": b"{name: log_mel, n_mels: 8}"}), "8 bins for a model of 16"),
        (lambda members: members.update({"feature.yaml": b"{name: other}"}), "'other' is unknown"),
        (lambda members: members.update({"feature.yaml": b"\xff"}), "not plain yaml"),
        (lambda members: members.update({"config.yaml": b"a: &a [1]\nformat: [*a, *a]"}), "holds the alias *a"),
        (lambda members: members.update({"config.yaml": b"- 1"}), "holds no mapping"),
        (lambda members: members.update({"config.yaml": b"{format: 1}"}), "lacks input_size"),
        (lambda members: members.update({"config.yaml": b"a: !!python/object:os.system {}"}), "not plain yaml"),
        (lambda members: members.update({"config.yaml": b"[" * 100_000}), "not plain yaml"),
        (lambda members: members.update({"tasks.yaml": b"tasks: []"}), "at least one task"),
        (lambda members: members.update({"../outside": b"x"}), "'../outside' reaches outside"),
        (lambda members: members.update({"a/../../outside": b"x"}), "reaches outside"),
        (lambda members: members.update({"/outside": b"x"}), "'/outside' reaches outside"),
        (lambda members: members.update({"c:\\outside": b"x"}), "reaches outside"),
        (lambda members: members.update({"notes.txt": b"x"}), "'notes.txt' does not belong there"),
        (lambda members: members.pop("feature.yaml"), "'feature.yaml' is missing"),
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
    assert str(caught.value).startswith(str(bad))
    assert len(str(caught.value).splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.zip"]


def write_raw(pack: Path, out: Path, change: Callable[[zipfile.ZipInfo], None]) -> Path:
    """Write the pack again with the entry of tasks.yaml changed."""
    with zipfile.ZipFile(out, "w") as archive:
        for member, data in read_archive(pack).items():
            info = zipfile.ZipInfo(member)
            if member == "tasks.yaml":
                change(info)
            archive.writestr(info, data)
    return out


def test_symbolic_link_in_a_pack(pack: Path, tmp_path: Path) -> None:
    bad = write_raw(pack, tmp_path / "bad.zip", lambda info: setattr(info, "external_attr", 0o120777 << 16))
    with pytest.raises(UserError, match=r"tasks\.yaml is no plain file"):
        read_pack(bad)


def test_unusual_compression(pack: Path, tmp_path: Path) -> None:
    bad = write_raw(pack, tmp_path / "bad.zip", lambda info: setattr(info, "compress_type", zipfile.ZIP_LZMA))
    with pytest.raises(UserError, match="no plain file"):
        read_pack(bad)


def test_member_that_grows_without_bound(pack: Path, tmp_path: Path) -> None:
    members = read_archive(pack)
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data if name != "model.pth" else bytes(16 * 2**20))
    with pytest.raises(UserError, match=r"model\.pth claims 16777216 bytes"):
        read_pack(tmp_path / "bad.zip")


def test_member_twice(pack: Path, tmp_path: Path) -> None:
    shutil.copy(pack, tmp_path / "bad.zip")
    with zipfile.ZipFile(tmp_path / "bad.zip", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("tasks.yaml", b"x")
    with pytest.raises(UserError, match="is there twice"):
        read_pack(tmp_path / "bad.zip")


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all"])
def test_no_zip(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.zip").write_bytes(data)
    with pytest.raises(UserError, match="torn or no pack"):
        read_pack(tmp_path / "bad.zip")


def test_any_byte_flipped_is_noticed_or_harmless(pack: Path, tmp_path: Path) -> None:
    data = pack.read_bytes()
    wanted = read_archive(pack)
    noticed: list[str] = []
    for position in np.random.default_rng(0).integers(len(data), size=200):
        torn = bytearray(data)
        torn[position] ^= 0x55
        (tmp_path / "torn.zip").write_bytes(torn)
        try:
            # Dates and the like may differ; what is read may not.
            assert read_archive(tmp_path / "torn.zip") == wanted
        except UserError as error:
            noticed.append(str(error))
    assert all(len(message.splitlines()) == 1 for message in noticed)
    assert len(noticed) > 150


def entry(offset: int, size: int, value: int) -> Callable[[bytes], bytes]:
    """Change a field of the first entry of a zip's directory."""

    def apply(data: bytes) -> bytes:
        start = data.index(b"PK\x01\x02") + offset
        return data[:start] + value.to_bytes(size, "little") + data[start + size :]

    return apply


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"PK\x03\x04", b"PK\x03\x05", 1),
        pytest.param(entry(8, 2, 1), id="encrypted"),
        pytest.param(entry(10, 2, 99), id="method"),
        pytest.param(entry(16, 4, 1), id="checksum"),
        pytest.param(entry(24, 4, 2**30), id="size"),
        pytest.param(entry(42, 4, 2**31), id="start"),
    ],
)
def test_damaged_directory(pack: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    (tmp_path / "bad.zip").write_bytes(damage(pack.read_bytes()))
    with pytest.raises(UserError, match=r"bad\.zip") as caught:
        read_pack(tmp_path / "bad.zip")
    assert len(str(caught.value).splitlines()) == 1


def test_cut_off(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.zip").write_bytes(pack.read_bytes()[:-100])
    with pytest.raises(UserError, match="torn or no pack"):
        read_pack(tmp_path / "cut.zip")


def test_no_such_pack(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such experiment or pack"):
        MTLInference.from_pretrained(tmp_path / "none.zip")


def test_unpacked_folder_lacks_its_weights(pack: Path, tmp_path: Path) -> None:
    write_folder(read_archive(pack), tmp_path / "unpacked")
    (tmp_path / "unpacked/model.pth").unlink()
    with pytest.raises(UserError, match=r"model\.pth: cannot be read"):
        MTLInference.from_pretrained(tmp_path / "unpacked")


def test_unpacked_folder_of_the_wrong_size(pack: Path, tmp_path: Path) -> None:
    write_folder(read_archive(pack), tmp_path / "unpacked")
    (tmp_path / "unpacked/tasks.yaml").write_bytes(b" " * (2**20 + 1))
    with pytest.raises(UserError, match=r"tasks\.yaml: holds 1048577 bytes"):
        MTLInference.from_pretrained(tmp_path / "unpacked")


def test_experiment_without_features_configuration(exp: Path, tmp_path: Path) -> None:
    shutil.copytree(exp, tmp_path / "exp")
    (tmp_path / "exp/feature.yaml").unlink()
    with pytest.raises(UserError, match=r"feature\.yaml"):
        write_pack(tmp_path / "exp", WEIGHTS, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_torn_score(exp: Path, tmp_path: Path) -> None:
    shutil.copytree(exp, tmp_path / "exp")
    (tmp_path / "exp/predict_dev/score.json").write_text("{")
    with pytest.raises(UserError, match=r"score\.json: cannot be read"):
        write_pack(tmp_path / "exp", WEIGHTS, tmp_path / "out.zip")


def call(cwd: Path, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "espnet2_ext.bin.mtl_pack", *map(str, arguments)]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env)


def test_commands(exp: Path, pack: Path, tmp_path: Path) -> None:
    made = call(tmp_path, "pack", "--model", exp, "--out", "deep/X.zip")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "deep/X.zip").read_bytes() == pack.read_bytes()
    info = call(tmp_path, "info", "--pack", "deep/X.zip")
    assert info.returncode == 0, info.stderr
    members = read_archive(pack)
    assert members["README.md"].decode() in info.stdout
    assert f"model.pth: {len(members['model.pth']):,} bytes" in info.stdout
    unpacked = call(tmp_path, "unpack", "--pack", "deep/X.zip", "--out", "files")
    assert unpacked.returncode == 0, unpacked.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "files").iterdir()} == members
    for arguments, message in (
        (("unpack", "--pack", "deep/X.zip", "--out", "files"), "is there already"),
        (("pack", "--model", exp, "--weights", "none.pth", "--out", "new.zip"), "no such model"),
    ):
        refused = call(tmp_path, *arguments)
        assert refused.returncode == 1
        assert len(refused.stderr.splitlines()) == 1
        assert refused.stderr.startswith("error: ")
        assert message in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "files"]
