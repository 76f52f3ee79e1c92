"""Training of heads on stored hidden states: without audio and model, with the predictions of the frozen encoder."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from speech_like import speech_like
from ssl_experiment import make_ssl_experiment
from train_tiny import complaint, train

from espnet2_ext.bin.collect_stats import collect_stats
from espnet2_ext.errors import UserError
from espnet2_ext.feature import build_feature
from espnet2_ext.feature.extraction import extract_to_ark
from espnet2_ext.fileio.ark import ArkWriter
from espnet2_ext.fileio.table import read_table
from espnet2_ext.inference.archive import read_archive
from espnet2_ext.inference.mtl_inference import MTLInference
from espnet2_ext.inference.pack import build_trained, write_pack
from espnet2_ext.mtl.build import build_model, load_config, load_trained


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Training options on dumps of hidden states in place of waves; the recordings and the model's folder are gone."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("states")
    options = make_ssl_experiment(root)
    feature = build_feature("hidden_states", model=str(root / "tiny_model"))
    for name in ("train", "dev"):
        dump = root / "dump" / name
        with ArkWriter(dump / "feats.ark", dump / "feats.scp", feature.ark_compression) as writer:
            extract_to_ark(read_table(dump / "wav.scp"), feature, writer, lambda _: None)
        (dump / "feature.yaml").write_text(yaml.safe_dump(feature.config()))
        shutil.rmtree(dump / "wavs")
        (dump / "wav.scp").unlink()
    (root / "tiny_model").rename(root / "away")
    for name in ("--encoder_lr", "--encoder_conf"):
        at = options.index(name)
        del options[at : at + 2]
    options[options.index("--encoder") + 1] = "hidden_states"
    options[options.index("--crop_conf") + 1] = "{frames: 400, padding: zero}"
    return root, options


@pytest.fixture(scope="module")
def trained(case: tuple[Path, list[str]]) -> Path:
    root, options = case
    history = train(options, root / "exp", "--max_epoch", "2")
    assert history["2"]["train"]["loss_emotion"] < history["1"]["train"]["loss_emotion"]
    shutil.copyfile(root / "dump/train/feature.yaml", root / "exp/feature.yaml")
    return root / "exp"


def test_configuration_has_the_layers(trained: Path) -> None:
    config = load_config(trained / "config.yaml")
    assert (config["encoder_conf"], config["input_size"]) == ({"layers": [0, 1, 2]}, 48)
    model, _ = load_trained(trained / "config.yaml", trained / "latest.pth")
    assert not list(model.encoder.parameters())


@contextmanager
def folder_back(root: Path) -> Iterator[Path]:
    """The model's folder, inside the block only."""
    (root / "away").rename(root / "tiny_model")
    try:
        yield root / "tiny_model"
    finally:
        (root / "tiny_model").rename(root / "away")


def same(found: dict[str, Any], wanted: dict[str, np.ndarray]) -> None:
    assert list(found["emotion"].values()) == pytest.approx(wanted["emotion"], abs=1e-5)
    assert found["age"]["age"] == pytest.approx(wanted["age"][0], abs=1e-4)
    assert list(found["country"]["probabilities"].values()) == pytest.approx(wanted["country"], abs=1e-5)


def test_waves_are_predicted_as_by_the_frozen_encoder(
    case: tuple[Path, list[str]], trained: Path, tmp_path: Path
) -> None:
    """The trained heads behind `ssl` on the wave give what MTLInference gives, of the experiment and of its pack."""
    root, _ = case
    wave = speech_like(0.4, 16000, 3)
    config = load_config(trained / "config.yaml") | {"input_size": 1, "encoder": "ssl"}
    with folder_back(root) as folder:
        found = MTLInference.from_pretrained(trained)(wave, 16000)
        write_pack(trained, "valid.score.ave.pth", tmp_path / "pack.zip")
        model = build_model({**config, "encoder_conf": {"model": str(folder), "freeze": "all"}}).eval()
    assert found["notes"]["frames"] == (len(wave) - 30) // 20 + 1
    state = torch.load(trained / "valid.score.ave.pth", weights_only=True)
    assert not model.load_state_dict(state, strict=False).unexpected_keys
    with torch.no_grad():
        wanted = model.report(model.outputs(torch.from_numpy(wave)[None, :, None]))
    wanted = {name: value[0].numpy() for name, value in wanted.items()}
    same(found, wanted)
    # The pack needs no folder, and tells none.
    same(MTLInference.from_pretrained(tmp_path / "pack.zip")(wave, 16000), wanted)
    members = read_archive(tmp_path / "pack.zip")
    assert not any(str(root).encode() in data for data in members.values())


def test_packs_that_name_a_model_are_refused(case: tuple[Path, list[str]], trained: Path, tmp_path: Path) -> None:
    """Of a pack nothing is fetched, and no folder of this machine is opened."""
    with folder_back(case[0]):
        write_pack(trained, "valid.score.ave.pth", tmp_path / "pack.zip")
        members = read_archive(tmp_path / "pack.zip")
        conf = yaml.safe_load(members["feature.yaml"])
        architecture = conf.pop("architecture")
        for name in (str(case[0] / "tiny_model"), "org/name"):
            changed = yaml.safe_dump(conf | {"model": name}).encode()
            with pytest.raises(UserError, match="lack what they are computed with"):
                build_trained({**members, "feature.yaml": changed}, Path("p"))
    changed = yaml.safe_dump(conf | {"architecture": architecture | {"intermediate_size": 20}}).encode()
    with pytest.raises(UserError, match="weights do not fit"):
        build_trained({**members, "feature.yaml": changed}, Path("p"))


def test_normalised_by_the_training_set(case: tuple[Path, list[str]], tmp_path: Path) -> None:
    root, options = case
    np.savez(tmp_path / "stats.npz", **collect_stats(root / "dump/train/feats.scp"))
    more = ["--normalize", "global_mvn", "--feature_stats", f"{tmp_path}/stats.npz", "--max_epoch", "1"]
    more += ["--task_exits", "{emotion: 1, age: 1, country: 1}", "--encoder_conf", "layer_sum=true"]
    history = train(options, tmp_path / "exp", *more)
    assert np.isfinite(history["1"]["valid"]["score"])
    groups = torch.load(tmp_path / "exp/checkpoint.pth", weights_only=True)["optimizers"][0]["param_groups"]
    assert [group["name"] for group in groups] == ["heads"]


def test_refused_before_training(case: tuple[Path, list[str]], tmp_path: Path) -> None:
    root, options = case
    text = complaint(options, tmp_path / "a", "--encoder_conf", "layers=[1,2]")
    assert "has [0, 1, 2]; leave it out" in text
    assert "exit 3" in complaint(options, tmp_path / "b", "--task_exits", "{emotion: 3}")
    assert "nothing of the encoder learns" in complaint(options, tmp_path / "c", "--encoder_lr", "0.1")
    shutil.copytree(root / "dump/train", tmp_path / "train")
    (tmp_path / "train/feature.yaml").write_text("name: raw\n")
    text = complaint(options, tmp_path / "d", "--train_dir", str(tmp_path / "train"))
    assert "takes `name: hidden_states`" in text
