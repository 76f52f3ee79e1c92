"""Packs: complete, equal to their experiment, the same bytes for the same model."""

import copy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from tiny_dump import TASKS
from tiny_model import make_model

from espnet2_ext.errors import UserError
from espnet2_ext.inference import MTLInference
from espnet2_ext.inference.archive import read_archive, write_folder
from espnet2_ext.inference.pack import read_pack, write_pack
from espnet2_ext.mtl.task_spec import task_spec_from_dict

ROOT = Path(__file__).parents[3]
WEIGHTS = "valid.score.ave.pth"


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


def test_class_names_do_not_break_the_card(tmp_path: Path) -> None:
    spec = copy.deepcopy(TASKS)
    next(task for task in spec["tasks"] if task["name"] == "country")["classes"] = ["here|now", "<b>"]
    make_model(tmp_path / "exp", task_spec=task_spec_from_dict(spec).to_dict())
    write_pack(tmp_path / "exp", WEIGHTS, tmp_path / "out.zip")
    card = read_archive(tmp_path / "out.zip")["README.md"].decode()
    assert "| country | classification, probabilities | here\\|now, &lt;b&gt; | - |" in card


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
