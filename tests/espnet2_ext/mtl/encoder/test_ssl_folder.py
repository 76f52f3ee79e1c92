"""Folders of pretrained models: what is read, and what is refused in one line."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from tiny_ssl import make_ssl

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import SSLEncoder, ssl_folder
from espnet2_ext.mtl.encoder.ssl_folder import checked_architecture, find_model, read_architecture

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROOT = Path(__file__).parents[4]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_ssl(tmp_path / "m")
    return tmp_path / "m"


def refusal(call: Any, *args: Any) -> str:
    with pytest.raises(UserError) as caught:
        call(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit(path: Path, **change: Any) -> None:
    data = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in (data | change).items() if v is not None}))


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert", "wavlm"])
def test_architecture_is_plain_and_small(tmp_path: Path, kind: str) -> None:
    make_ssl(tmp_path / "m", kind)
    architecture = read_architecture(tmp_path / "m")
    assert json.loads(json.dumps(architecture)) == architecture
    expected = {"model_type": kind, "hidden_size": 16, "conv_dim": [8, 8], "num_hidden_layers": 3}
    assert {key: architecture[key] for key in expected} == expected
    assert architecture["do_normalize"] is True
    assert architecture["sampling_rate"] == 16000
    assert str(tmp_path) not in json.dumps(architecture)


def test_defaults_that_a_file_leaves_out(folder: Path) -> None:
    """Published files hold what differs from transformers' defaults; wav2vec2's convolutions are seven, of 512."""
    edit(folder / "config.json", conv_dim=None, conv_kernel=None, conv_stride=None)
    architecture = read_architecture(folder)
    assert architecture["conv_dim"] == [512] * 7
    assert architecture["conv_stride"] == [5, 2, 2, 2, 2, 2, 2]


def test_hub_models_need_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_ssl(tmp_path / "cached")
    asked = []

    def fetch(repo: str, revision: str, names: tuple[str, ...]) -> Path:
        asked.append((repo, revision))
        assert not any("bin" in name or name == "*" for name in names)
        return tmp_path / "cached"

    monkeypatch.setattr(ssl_folder, "fetch", fetch)
    for revision in (None, "main", COMMIT[:8]):
        assert "give its commit as revision" in refusal(find_model, "org/name", revision)
    assert asked == []
    assert find_model("org/name", COMMIT) == tmp_path / "cached"
    assert asked == [("org/name", COMMIT)]
    conf = {"model": "org/name", "revision": COMMIT}
    resolved = SSLEncoder(1, [None], **conf).resolved(conf)
    assert (resolved["model"], resolved["revision"]) == ("org/name", COMMIT)


def test_folders_have_no_revision(folder: Path) -> None:
    assert find_model(str(folder), None) == folder
    assert "leave revision out" in refusal(find_model, str(folder), COMMIT)
    assert "no such folder" in refusal(find_model, "/nowhere/at/all", None)


def test_nothing_asks_the_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    SSLEncoder(1, [None], model=str(folder))


def test_pickled_weights_are_refused_and_the_documented_lines_rewrite_them(folder: Path) -> None:
    """Of a model with a head, with the names that older versions gave to normalised weights."""
    wanted = safetensors.torch.load_file(folder / "model.safetensors")
    old = {f"wav2vec2.{name}": value for name, value in wanted.items()}
    conv = "encoder.pos_conv_embed.conv"
    for number, name in enumerate(("weight_g", "weight_v")):
        old[f"wav2vec2.{conv}.{name}"] = old.pop(f"wav2vec2.{conv}.parametrizations.weight.original{number}")
    old["lm_head.weight"] = torch.zeros(5, 16)
    torch.save(old, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    edit(folder / "config.json", architectures=["Wav2Vec2ForCTC"])
    assert "docs/ssl.md" in refusal(find_model, str(folder), None)
    [program] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/ssl.md").read_text(), re.DOTALL)
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, timeout=600)
    encoder = SSLEncoder(1, [None], model=str(folder))
    found = encoder.backbone.entrance["positions"].conv.parametrizations.weight.original1
    torch.testing.assert_close(found.detach(), wanted[f"{conv}.parametrizations.weight.original1"])
    torch.testing.assert_close(encoder.masks.embedding.detach(), wanted["masked_spec_embed"])


REFUSED = [
    ("config.json", {"model_type": "bert"}, "takes wav2vec2, hubert, wavlm"),
    ("config.json", {"conv_pos_batch_norm": True}, "batch normalisation"),
    ("config.json", {"adapter_attn_dim": 8}, "adapters"),
    ("preprocessor_config.json", {"do_normalize": None}, "do_normalize is missing"),
    ("preprocessor_config.json", {"sampling_rate": "16000"}, "sampling_rate is missing"),
]


@pytest.mark.parametrize(("file", "change", "text"), REFUSED)
def test_other_models_are_refused(folder: Path, file: str, change: dict[str, Any], text: str) -> None:
    edit(folder / file, **change)
    assert text in refusal(read_architecture, folder)


def test_missing_and_torn_files(folder: Path) -> None:
    (folder / "preprocessor_config.json").write_text("[]")
    assert "holds no mapping" in refusal(read_architecture, folder)
    (folder / "preprocessor_config.json").unlink()
    assert "cannot be read" in refusal(read_architecture, folder)
    (folder / "config.json").write_text("{")
    assert "cannot be read" in refusal(read_architecture, folder)
    (folder / "config.json").unlink()
    assert "no config.json" in refusal(find_model, str(folder), None)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"model_type": "bert"}, "model_type"),
        ({"auto_map": {}}, "auto_map is no part"),
        ({"attn_implementation": "org/kernel"}, "attn_implementation is no part"),
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"hidden_size": "16"}, "hidden_size is no int"),
        ({"do_normalize": 1}, "do_normalize is no bool"),
    ],
)
def test_architectures_of_others_are_checked(folder: Path, change: dict[str, Any], text: str) -> None:
    """A pack is data of somebody else: it holds sizes and names, and nothing that transformers would fetch or run."""
    architecture = {k: v for k, v in (read_architecture(folder) | change).items() if v is not None}
    with pytest.raises(ValueError, match=text):
        checked_architecture(architecture)
