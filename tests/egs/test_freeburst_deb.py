"""The recipe freeburst: packages are read as dpkg-deb reads them."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from voice_packages import (
    make_pk3,
    torn,
    write_deb,
)

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "egs/freeburst/mtl1/local"
sys.path.insert(0, str(LOCAL))

from deb import find_debs, read_members  # noqa: E402

from espnet2_ext.errors import UserError  # noqa: E402

OGG = "usr/share/games/hedgewars/Data/Sounds/voices/British/Amazing.ogg"
PK3 = "usr/share/games/openarena/baseoa/pak2-players.pk3"


@pytest.mark.parametrize("compression", ["xz", "gz", "bz2", ""])
def test_members_are_read_in_the_packages_order(compression: str, tmp_path: Path) -> None:
    archive = make_pk3(one=b"1" * 999, two=b"22")
    deb = write_deb(tmp_path / "a_1_all.deb", {"usr/b": b"of b", PK3: archive, "usr/a": b"of a"}, compression)
    wanted = ["usr/a", f"{PK3}:sound/two.wav", f"{PK3}:sound/one.wav", "usr/b"]
    assert list(read_members(deb, wanted)) == [
        ("usr/b", b"of b"),
        (f"{PK3}:sound/two.wav", b"22"),
        (f"{PK3}:sound/one.wav", b"1" * 999),
        ("usr/a", b"of a"),
    ]


@pytest.mark.parametrize("compression", ["xz", "gzip", "none"])
def test_a_package_that_dpkg_deb_builds(compression: str, tmp_path: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is missing: the system is not of Debian's family")
    tree = tmp_path / "tree"
    files = {"usr/share/a long name, with blanks": b"abc", OGG: bytes(range(256)) * 50, "usr/empty": b""}
    files["usr/" + "deep/" * 30 + "file"] = b"its path has more than 100 characters"
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    (tree / "DEBIAN").mkdir()
    control = "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a\n"
    (tree / "DEBIAN/control").write_text(control)
    command = ["dpkg-deb", "--root-owner-group", f"-Z{compression}", "--build", tree, tmp_path / "a_1_all.deb"]
    subprocess.run(command, check=True, capture_output=True)
    assert dict(read_members(tmp_path / "a_1_all.deb", list(files))) == files


def bad_package(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "a_1_all.deb"
    good = {
        "usr/a": b"a",
        PK3: make_pk3(one=np.random.default_rng(0).bytes(5000)),
        "usr/z": np.random.default_rng(1).bytes(5000),
    }
    compression = "" if "plain" in kind else "xz"
    if kind == "zip that ends early":
        good[PK3] = torn(good[PK3])
    if kind == "zip with other bytes":
        good[PK3] = good[PK3][:200] + bytes(1000) + good[PK3][1200:]
    content = write_deb(path, good, compression).read_bytes()
    changed = {
        "text": b"not a package\n",
        "empty": b"",
        "magic only": b"!<arch>\n",
        "no data": content[: content.index(b"data.tar")],
        "torn": torn(content),
        "torn plain": content[:-6000],
        "zstd": content.replace(b"data.tar.xz ", b"data.tar.zst"),
        "broken xz": content.replace(b"\xfd7zXZ", b"\xfd7zXY"),
        "odd header": content.replace(b"control.tar.xz", b"contrl")[:80] + b"x" * 100,
    }
    path.write_bytes(changed.get(kind, content))
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "no Debian package; delete it and download it again"),
        ("empty", "no Debian package"),
        ("magic only", "ends before its data"),
        ("no data", "ends before its data"),
        ("torn", "ends within its data"),
        ("torn plain", "ends within its data"),
        ("zstd", "packed with zstd; get the package of Debian 12"),
        ("broken xz", "cannot be read as a Debian package"),
        ("odd header", "cannot be read as a Debian package"),
        ("zip that ends early", "cannot be read as a Debian package"),
        ("zip with other bytes", "cannot be read as a Debian package"),
        ("no such file", "has no usr/b; it is another version: labels.csv is of Debian 12"),
        ("no such member", f"{PK3} has no sound/two.wav; it is another version"),
    ],
)
def test_what_is_no_package_is_one_line(kind: str, message: str, tmp_path: Path) -> None:
    deb = bad_package(tmp_path, kind)
    wanted = ["usr/a", f"{PK3}:sound/one.wav", "usr/z"]
    wanted += ["usr/b"] if kind == "no such file" else []
    wanted += [f"{PK3}:sound/two.wav"] if kind == "no such member" else []
    with pytest.raises(UserError) as caught:
        list(read_members(deb, wanted))
    assert str(caught.value).startswith(f"{deb}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_find_debs(tmp_path: Path) -> None:
    names = ("one", "one-data")
    for name in ("one_1.0_all.deb", "one-data_2.0_all.deb", "other_1_all.deb"):
        (tmp_path / name).touch()
    assert find_debs(tmp_path, names) == {
        "one": tmp_path / "one_1.0_all.deb", "one-data": tmp_path / "one-data_2.0_all.deb",
    }  # fmt: skip
    (tmp_path / "one_1.1_all.deb").touch()
    with pytest.raises(UserError, match=r"2 files one_\*\.deb; one is needed of one, one-data"):
        find_debs(tmp_path, names)
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(UserError, match=r"no lost_<version>\.deb"):
            find_debs(folder, ("lost",))
