"""Fetching a pretrained model: the weights that were there, and no code of theirs; the hub is a folder."""

import os
import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_ssl import make_ssl

from espnet2_ext.bin import fetch_ssl_model
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import SSLEncoder

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of the hub; what is asked for goes to a cache."""
    make_ssl(tmp_path / "hub", num_hidden_layers=1)

    def fetch(repo: str, revision: str, names: tuple[str, ...]) -> Path:
        assert (repo, revision) == ("org/name", COMMIT)
        cache = tmp_path / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir()
        for path in (tmp_path / "hub").iterdir():
            if any(fnmatch(path.name, name) for name in names):
                shutil.copyfile(path, cache / path.name)
        return cache

    monkeypatch.setattr(fetch_ssl_model, "fetch", fetch)
    return tmp_path / "hub"


def as_pickle(hub: Path) -> dict[str, torch.Tensor]:
    weights = load_file(hub / "model.safetensors")
    torch.save(weights, hub / "pytorch_model.bin")
    (hub / "model.safetensors").unlink()
    return weights


@pytest.mark.parametrize("pickled", [False, True])
def test_folder_holds_the_models_weights(hub: Path, tmp_path: Path, pickled: bool) -> None:
    weights = as_pickle(hub) if pickled else load_file(hub / "model.safetensors")
    out = tmp_path / "deep/model"
    fetch_ssl_model.fetch_model("org/name", COMMIT, out)
    found = load_file(out / "model.safetensors")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in weights)
    assert {path.name for path in out.iterdir()} == {"config.json", "preprocessor_config.json", "model.safetensors"}
    assert SSLEncoder(1, [None], model=str(out)).output_size(1) == 16
    # A folder that is there is left alone, also without a hub.
    shutil.rmtree(hub)
    before = (out / "model.safetensors").stat().st_mtime_ns
    fetch_ssl_model.fetch_model("org/name", COMMIT, out)
    assert (out / "model.safetensors").stat().st_mtime_ns == before


class Hostile:
    def __reduce__(self) -> tuple:
        return os.system, ("touch hostile",)


def test_code_is_not_run_and_nothing_is_left(hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    weights = as_pickle(hub)
    for content, message in (
        (weights | {"a": Hostile()}, "not a file of weights"),
        (weights | {"a": 1}, "more than tensors"),
    ):
        torch.save(content, hub / "pytorch_model.bin")
        with pytest.raises(UserError, match=message):
            fetch_ssl_model.fetch_model("org/name", COMMIT, tmp_path / "model")
        assert not (tmp_path / "model").exists()
    assert not (tmp_path / "hostile").exists()
    (hub / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match="has no preprocessor_config"):
        fetch_ssl_model.fetch_model("org/name", COMMIT, tmp_path / "model")


@pytest.mark.parametrize(("model", "revision"), [("name", COMMIT), ("org/name", "main"), ("org/name", COMMIT[:39])])
def test_names_and_commits(tmp_path: Path, model: str, revision: str) -> None:
    with pytest.raises(UserError, match="commit of 40"):
        fetch_ssl_model.fetch_model(model, revision, tmp_path / "model")
