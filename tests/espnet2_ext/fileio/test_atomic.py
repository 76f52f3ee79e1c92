import os
from pathlib import Path

import pytest

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.npz"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".npz"
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert os.listdir(target.parent) == ["a.npz"]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_text("old")

    def half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_full_disk_is_one_line() -> None:
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("no /dev/full here")

    def write() -> None:
        with atomic_path(Path("/proc/no_such_folder/a")) as temporary:
            temporary.write_text("x")

    with pytest.raises(UserError, match="cannot be written") as caught:
        write()
    assert "\n" not in str(caught.value)


def test_an_error_about_another_file_is_not_renamed(tmp_path: Path) -> None:
    def read_missing() -> None:
        with atomic_path(tmp_path / "a"):
            (tmp_path / "missing").read_text()

    with pytest.raises(FileNotFoundError):
        read_missing()
    assert os.listdir(tmp_path) == []
