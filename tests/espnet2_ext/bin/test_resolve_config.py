"""Configurations that change others."""

from pathlib import Path

import pytest
import yaml

from espnet2_ext.bin.resolve_config import main, resolve_config
from espnet2_ext.errors import UserError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_keys_of_the_file_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    write(tmp_path / "train.yaml", "a: 1\nb: {x: 1, y: 2}\nc: 3\n")
    write(tmp_path / "tuning/t.yaml", "base: ../train.yaml\nb: {z: 5}\nd: null\n")
    last = write(tmp_path / "tuning/u.yaml", "base: t.yaml\na: 2\n")
    expected = {"a": 2, "b": {"z": 5}, "c": 3, "d": None}
    assert resolve_config(last) == expected
    monkeypatch.setattr("sys.argv", ["resolve_config", str(last)])
    main()
    assert yaml.safe_load(capsys.readouterr().out) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("base: t.yaml\n", "its own base"),
        ("base: u.yaml\n", "its own base"),
        ("base: gone.yaml\n", r"gone\.yaml: cannot be read: no such file; mend `base` in t\.yaml$"),
        ("- a\n", "a configuration is a yaml mapping"),
        ("", "a configuration is a yaml mapping"),
        ("a: [\n", "cannot be read"),
        ("a: !!python/object/apply:os.system ['touch marker']\n", "cannot be read"),
        ("a: 2001-99-99\n", "cannot be read"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "u.yaml", "base: t.yaml\n")
    path = write(tmp_path / "t.yaml", text)
    with pytest.raises(UserError, match=expected) as caught:
        resolve_config(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "marker").exists()
