"""Upload and download of packs, against a stand-in of the hub on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hub_stand_in import HubServer, hub_stand_in
from tiny_model import make_model

from espnet2_ext.inference.archive import ONNX, read_archive, write_archive
from espnet2_ext.inference.pack import write_pack

pytest.importorskip("huggingface_hub", reason="huggingface_hub is missing: tools/install.sh --extras hub")

ROOT = Path(__file__).parents[3]
REPO = "lab/bursts"
PACK = ("-m", "espnet2_ext.bin.mtl_pack", "upload", "--repo", REPO, "--pack")
PREDICT = ("-m", "espnet2_ext.bin.mtl_inference")
REFUSED = """
import sys
from pathlib import Path
from espnet2_ext.errors import UserError
from espnet2_ext.inference import MTLInference
from espnet2_ext.inference.hub import download, download_pack, upload
pack = Path(sys.argv[1])
for case in (
    lambda: upload(pack, "no name"),
    lambda: download("no name"),
    lambda: download("lab/none"),
    lambda: download("lab/bursts", "v9"),
    lambda: download_pack("lab/torn", pack.with_name("fetched.zip")),
    lambda: MTLInference.from_pretrained("lab/bursts", hub=True),
    lambda: MTLInference.from_pretrained(pack, revision="v9"),
):
    try:
        print("accepted", case())
    except UserError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    make_model(path / "exp")
    write_pack(path / "exp", "valid.score.ave.pth", path / "pack.zip")
    return path / "pack.zip"


def call(server: HubServer, home: Path, *arguments: object, token: str = "stand-in") -> subprocess.CompletedProcess:
    """Run Python with the stand-in as its hub; the package reads the hub's address when it is imported."""
    env = {key: value for key, value in os.environ.items() if "proxy" not in key.lower() and not key.startswith("HF_")}
    env |= {"HF_ENDPOINT": server.url, "HF_HOME": str(home), "HF_TOKEN": token, "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=120)


def test_there_and_back(pack: Path, tmp_path: Path) -> None:
    members = read_archive(pack)
    write_archive({**members, ONNX: b"a graph"}, tmp_path / "first.zip")
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(size=16000) * 0.1, 16000)
    fetch = ("-m", "espnet2_ext.bin.mtl_pack", "download", "--repo", REPO)
    with hub_stand_in() as server:
        first = call(server, tmp_path / "home", *PACK, tmp_path / "first.zip")
        assert first.returncode == 0, first.stderr
        commit = first.stdout.strip().rpartition("/")[2]
        assert server.repos[REPO][commit] == {**members, ONNX: b"a graph"}
        assert server.private[REPO] is True
        # The graph of the first pack does not stay beside the weights of the second.
        second = call(server, tmp_path / "home", *PACK, pack)
        assert second.returncode == 0, second.stderr
        assert server.repos[REPO][server.revision(REPO, "main")] == members
        predictions = []
        for name, source in (
            ("hub", ["--hub", "true", "--model", REPO]),
            ("revision", ["--hub", "true", "--model", REPO, "--revision", commit]),
            ("file", ["--model", pack]),
        ):
            out = tmp_path / f"{name}.jsonl"
            result = call(server, tmp_path / "home", *PREDICT, *source, "--out", out, tmp_path / "a.wav")
            assert result.returncode == 0, result.stderr
            predictions.append(out.read_text())
        assert predictions[0] == predictions[1] == predictions[2]
        assert not list((tmp_path / "home").rglob(ONNX))
        for revision, file in ((commit, "first.zip"), ("main", pack)):
            out = tmp_path / "deep/fetched.zip"
            fetched = call(server, tmp_path / "home", *fetch, "--revision", revision, "--out", out)
            assert fetched.returncode == 0, fetched.stderr
            assert out.read_bytes() == (tmp_path / file).read_bytes()


def test_refusals_are_one_line(pack: Path, tmp_path: Path) -> None:
    with hub_stand_in() as server:
        server.repos[REPO] = {"0" * 40: {}}
        server.repos["lab/torn"] = {"0" * 40: {**read_archive(pack), "model.pth": b"torn"}}
        result = call(server, tmp_path, "-c", REFUSED, pack)
        stranger = call(server, tmp_path, *PACK, pack, token="another")
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines[:4]] == ["no name", "no name", "lab/none", REPO], result
    assert "torn or not a file of weights" in lines[4]
    assert not pack.with_name("fetched.zip").exists()
    assert lines[5] == f"{REPO}: holds no README.md at its main branch; it is no packed model"
    assert "only a model from the hub has revisions" in lines[6]
    assert len(lines) == 7
    assert stranger.returncode == 1
    assert stranger.stderr.startswith(f"error: {REPO}: the hub says: ")
    assert len(stranger.stderr.splitlines()) == 1
    assert server.repos[REPO] == {"0" * 40: {}}


def test_hub_that_cannot_be_reached(pack: Path, tmp_path: Path) -> None:
    with hub_stand_in() as server:
        pass
    result = call(server, tmp_path, *PACK, pack)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"error: {REPO}: the hub says: ")
    assert "Traceback" not in result.stderr
