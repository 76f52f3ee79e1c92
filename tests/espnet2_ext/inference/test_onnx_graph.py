"""The ONNX twin: the same predictions for any batch and time, and a description of itself."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml
from tiny_model import FEATURE, make_model
from tiny_ssl import make_ssl

from espnet2_ext.errors import UserError
from espnet2_ext.inference import onnx_graph
from espnet2_ext.inference.archive import read_archive
from espnet2_ext.inference.pack import read_pack, write_pack
from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel

WEIGHTS = "valid.score.ave.pth"


@pytest.fixture(scope="module")
def onnxruntime() -> ModuleType:
    for name in ("onnx", "onnxscript"):
        pytest.importorskip(name, reason=f"{name} is missing: tools/install.sh --extras onnx")
    return pytest.importorskip("onnxruntime", reason="onnxruntime is missing: tools/install.sh --extras onnx")


@pytest.fixture(scope="module")
def pack(onnxruntime: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("model")
    make_model(root / "exp")
    write_pack(root / "exp", WEIGHTS, root / "pack.zip", onnx=True)
    return root / "pack.zip"


def largest_difference(
    onnxruntime: ModuleType, graph: bytes, model: ESPnetMTLModel, batch: int, frames: int, bins: int
) -> float:
    feats = np.random.default_rng(frames).normal(size=(batch, frames, bins)).astype(np.float32)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"feats": feats}), strict=True))
    with torch.no_grad():
        wanted = model.report(model.outputs(torch.from_numpy(feats)))
    assert set(found) == set(wanted)
    return max(float(np.abs(found[name] - value.numpy()).max()) for name, value in wanted.items())


@pytest.mark.parametrize(("batch", "frames"), [(1, 50), (2, 250), (7, 93), (1, 3001)])
def test_agrees_with_the_model(onnxruntime: ModuleType, pack: Path, batch: int, frames: int) -> None:
    model = read_pack(pack).model
    assert largest_difference(onnxruntime, read_archive(pack)["model.onnx"], model, batch, frames, 16) < 1e-4


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder_conf": {"channels": [4, 4, 4, 4, 8], "norm": "group"}, "head_conf": {"hidden_size": 6}},
        {"heads": "chain", "head_conf": {"dimension_chain": ["emotion"], "ground_truth": 0.5, "norm": "batch"}},
        {"encoder": "cnn10", "encoder_conf": {"channels": [4, 4, 4, 8]}, "normalize": None, "weighting": "equal"},
        {"exit_conf": {"pooling": "attention"}},
    ],
)
def test_other_models(onnxruntime: ModuleType, tmp_path: Path, changes: dict) -> None:
    config = make_model(tmp_path / "exp") | changes
    if config["encoder"] == "cnn10":
        for task in config["task_spec"]["tasks"]:
            task.pop("exit")
    # A name that every torch module has as a method.
    config = yaml.safe_load(yaml.safe_dump(config).replace("country", "type"))
    torch.manual_seed(0)
    model = build_model(config).eval()
    graph = onnx_graph.export_onnx(model, config, FEATURE)
    assert largest_difference(onnxruntime, graph, model, 3, 201, 16) < 1e-4


@pytest.mark.parametrize(
    "exit_conf",
    [{"pooling": "attention", "shared": True}, {"pooling": "branch", "layers": [0, 2], "size": 8, "n_heads": 2}],
)
def test_poolings_on_a_pretrained_model(
    onnxruntime: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture, exit_conf: dict
) -> None:
    make_ssl(tmp_path / "m", num_hidden_layers=2)
    waves = {"input_size": 1, "encoder": "ssl", "encoder_conf": {"model": f"{tmp_path}/m"}, "normalize": None}
    config = make_model(tmp_path / "exp") | waves | {"exit_conf": exit_conf}
    for task in config["task_spec"]["tasks"]:
        task.pop("exit", None)
    model = build_model(config).eval()
    capfd.readouterr()
    graph = onnx_graph.export_onnx(model, config, {"name": "raw"})
    assert capfd.readouterr() == ("", "")
    assert largest_difference(onnxruntime, graph, model, 3, 901, 1) < 1e-4


def test_describes_itself_and_no_machine(onnxruntime: ModuleType, pack: Path) -> None:
    import onnx

    graph = read_archive(pack)["model.onnx"]
    onnx.checker.check_model(graph, full_check=True)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert [(i.name, i.shape[2], i.type) for i in session.get_inputs()] == [("feats", 16, "tensor(float)")]
    assert all(isinstance(size, str) for size in session.get_inputs()[0].shape[:2])
    assert [(o.name, o.shape[1]) for o in session.get_outputs()] == [("emotion", 2), ("age", 1), ("country", 2)]
    facts = session.get_modelmeta().custom_metadata_map
    tasks = {task["name"]: task for task in json.loads(facts["tasks"])}
    assert tasks["country"]["labels"] == ["here", "there"]
    assert tasks["age"]["unit"] == "years"
    assert json.loads(facts["feature"])["name"] == "log_mel"
    assert json.loads(facts["crop"])["frames"] == 50
    assert facts["format"] == "1"
    docs = {value.name: value.doc_string for value in onnx.load_from_string(graph).graph.output}
    assert docs == {
        "emotion": "(batch, 2): values of joy, fear",
        "age": "(batch, 1): values in years of age",
        "country": "(batch, 2): probabilities of here, there",
    }
    card = read_archive(pack)["README.md"].decode()
    assert "| age | output | (batch, 1): values in years of age |" in card
    assert "| feats | input | raw features log_mel (batch, frames, 16), float32, all frames valid, at least" in card
    assert str(Path(__file__).parents[3]).encode() not in graph
    assert b"site-packages" not in graph


def test_same_model_same_bytes(pack: Path, tmp_path: Path) -> None:
    write_pack(pack.parent / "exp", WEIGHTS, tmp_path / "again.zip", onnx=True)
    assert (tmp_path / "again.zip").read_bytes() == pack.read_bytes()


def test_graph_that_differs_is_refused(
    onnxruntime: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_graph, "TOLERANCE", -1.0)
    make_model(tmp_path / "exp")
    with pytest.raises(UserError, match="differs from the model's by"):
        write_pack(tmp_path / "exp", WEIGHTS, tmp_path / "pack.zip", onnx=True)
    assert not (tmp_path / "pack.zip").exists()


@pytest.mark.parametrize("name", ["onnx", "onnxruntime", "onnxscript"])
def test_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for other in ("onnx", "onnxruntime", "onnxscript"):
        monkeypatch.setitem(sys.modules, other, None if other == name else ModuleType(other))
    config = make_model(tmp_path / "exp")
    with pytest.raises(UserError, match=f"{name} is missing for ONNX; install it: tools/install.sh --extras onnx"):
        onnx_graph.export_onnx(build_model(config), config, FEATURE)


def test_nothing_is_printed_but_the_result(onnxruntime: ModuleType, tmp_path: Path) -> None:
    make_model(tmp_path / "exp")
    command = [sys.executable, "-m", "espnet2_ext.bin.mtl_pack", "pack", "--onnx", "true", "--model", tmp_path / "exp"]
    result = subprocess.run(
        [*command, "--out", tmp_path / "pack.zip"], capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 1
    assert yaml.safe_load(read_archive(tmp_path / "pack.zip")["config.yaml"])["format"] == 1
