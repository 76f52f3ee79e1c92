"""Packs that are not what they claim are refused in one line."""

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from espnet2_ext.errors import UserError
from espnet2_ext.inference import MTLInference
from espnet2_ext.inference.archive import read_archive, write_folder
from espnet2_ext.inference.pack import read_pack

ROOT = Path(__file__).parents[3]
WEIGHTS = "valid.score.ave.pth"


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
