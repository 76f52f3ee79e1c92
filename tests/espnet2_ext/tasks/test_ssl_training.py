"""Small fine-tunings: groups, schedule, restart, use and packs without the pretrained model's folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
import yaml
from speech_like import speech_like
from ssl_experiment import RAW, make_ssl_experiment
from tiny_ssl import make_ssl
from train_tiny import complaint, train

from espnet2_ext.inference.archive import read_archive
from espnet2_ext.inference.mtl_inference import MTLInference
from espnet2_ext.inference.pack import write_pack

ROOT = Path(__file__).parents[3]
ENV = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/support", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def ssl_options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    torch.set_num_threads(1)
    return make_ssl_experiment(tmp_path_factory.mktemp("ssl"))


@pytest.fixture(scope="module")
def trained(ssl_options: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], Path]:
    """An experiment, its history and its model's folder, which is deleted."""
    root = tmp_path_factory.mktemp("trained")
    make_ssl(root / "my_model", num_hidden_layers=2)
    conf = f"{{model: {root}/my_model, layer_sum: true, gradient_checkpointing: true}}"
    plateau = "{patience: 0, factor: 0.5, threshold: 10.0, threshold_mode: abs}"
    more = ["--encoder_conf", conf, "--task_exits", "{emotion: 1, age: 1, country: 1}", "--max_epoch", "3"]
    history = train(ssl_options, root / "exp", *more, "--scheduler", "reducelronplateau", "--scheduler_conf", plateau)
    (root / "exp/feature.yaml").write_text(yaml.safe_dump(RAW))
    shutil.rmtree(root / "my_model")
    return root / "exp", history, root / "my_model"


def test_two_rates_halved_on_the_plateau(trained: tuple[Path, dict[str, Any], Path]) -> None:
    """No score gains 10, so with patience 0 every epoch after the first halves both rates."""
    _, history, _ = trained
    for name, rate in (("encoder", 0.001), ("heads", 0.005)):
        rates = [history[str(epoch)]["train"][f"lr_{name}"] for epoch in (1, 2, 3)]
        assert rates == pytest.approx([rate, rate, rate / 2])


def test_layer_weights_learn_at_the_heads_rate(trained: tuple[Path, dict[str, Any], Path]) -> None:
    """Adam's first steps are as long as its rate, 0.005: more than three epochs of three steps of 0.001 can make."""
    exp, _, _ = trained
    moved = torch.load(exp / "latest.pth", weights_only=True)["encoder.layer_weights"].abs().max().item()
    assert moved > 9 * 0.001
    optimizer = torch.load(exp / "checkpoint.pth", weights_only=True)["optimizers"][0]
    assert [group["name"] for group in optimizer["param_groups"]] == ["encoder", "heads"]


def test_branch_is_trained_kept_and_packed(ssl_options: list[str], tmp_path: Path) -> None:
    """The tasks' exits, which branches have no use for, are taken back; heads and branches learn at one rate."""
    branch = "{pooling: branch, layers: [0, 2], size: 8, n_heads: 2}"
    no_exits = "{emotion: null, age: null, country: null}"
    assert "exit 2 does nothing with pooling branch" in complaint(ssl_options, tmp_path / "no", "--exit_conf", branch)
    exp = tmp_path / "exp"
    train(ssl_options, exp, "--exit_conf", branch, "--task_exits", no_exits, "--max_epoch", "1")
    (exp / "feature.yaml").write_text(yaml.safe_dump(RAW))
    assert yaml.safe_load((exp / "config.yaml").read_text())["exit_conf"]["layers"] == [0, 2]
    groups = torch.load(exp / "checkpoint.pth", weights_only=True)["optimizers"][0]["param_groups"]
    network = MTLInference.from_pretrained(exp, weights="latest.pth").model
    behind = [name for name, p in network.named_parameters() if not name.startswith("encoder.")]
    assert any(name.startswith("shared_exit.projections.1.") for name in behind)
    assert [(group["name"], len(group["params"])) for group in groups[1:]] == [("heads", len(behind))]
    write_pack(exp, "latest.pth", tmp_path / "pack.zip")
    wave = speech_like(0.1, 16000, 3)
    wanted = MTLInference.from_pretrained(exp, weights="latest.pth")(wave, 16000)
    assert MTLInference.from_pretrained(tmp_path / "pack.zip")(wave, 16000) == wanted


def test_configuration_needs_no_folder(trained: tuple[Path, dict[str, Any], Path]) -> None:
    exp, _, folder = trained
    conf = yaml.safe_load((exp / "config.yaml").read_text())["encoder_conf"]
    assert conf["model"] == "my_model"
    assert conf["architecture"]["hidden_size"] == 16
    assert str(folder.parent) not in json.dumps(conf)


def test_experiment_and_pack_predict_in_a_process_without_the_folder(
    trained: tuple[Path, dict[str, Any], Path], tmp_path: Path
) -> None:
    exp, _, folder = trained
    assert not folder.exists()
    wave = speech_like(0.4, 16000, 3)
    soundfile.write(tmp_path / "a.wav", wave, 16000, subtype="PCM_16")
    wanted = MTLInference.from_pretrained(exp)(wave, 16000)
    write_pack(exp, "valid.score.ave.pth", tmp_path / "pack.zip")
    members = read_archive(tmp_path / "pack.zip")
    assert not any(str(folder.parent).encode() in data for data in members.values())
    command = [
        sys.executable,
        "-m",
        "espnet2_ext.bin.mtl_inference",
        "--model",
        "pack.zip",
        "--out",
        "out.jsonl",
        "a.wav",
    ]
    subprocess.run(command, cwd=tmp_path, env=ENV, check=True, timeout=600, capture_output=True)
    found = json.loads((tmp_path / "out.jsonl").read_text())
    for task in ("emotion", "age"):
        assert found[task] == pytest.approx(wanted[task], abs=1e-5)
    assert found["country"]["probabilities"] == pytest.approx(wanted["country"]["probabilities"], abs=1e-5)


def test_padded_utterances_are_predicted_as_in_validation(trained: tuple[Path, dict[str, Any], Path]) -> None:
    """Shorter than the crop of 1600 samples: zeros at its end change nothing."""
    exp, _, _ = trained
    predict = MTLInference.from_pretrained(exp)
    wave = speech_like(0.06, 16000, 3)
    one = predict(wave, 16000)
    predict.crop = type(predict.crop)(frames=len(wave), padding="zero")
    two = predict(wave, 16000)
    assert one["notes"]["padded"] == 1600 - len(wave)
    assert list(one["emotion"].values()) == pytest.approx(list(two["emotion"].values()), abs=1e-4)


def test_killed_fine_tuning_ends_with_the_weights_of_an_undisturbed_one(ssl_options: list[str], tmp_path: Path) -> None:
    """With dropout, masks, the plateau's count, a chain whose ground truth is drawn, and two levels of weights."""
    more = ["--batch_size", "5", "--max_epoch", "4", "--keep_nbest_models", "2", "--scheduler", "reducelronplateau"]
    more += ["--scheduler_conf", "{patience: 1, factor: 0.5, threshold: 10.0, threshold_mode: abs}"]
    truth = "ground_truth: {start: 1, end: 0.5, epochs: 4}"
    more += ["--heads", "chain", "--head_conf", f"{{hidden_size: 8, norm: batch, {truth}}}"]
    more += ["--exit_conf", "{pooling: attention, shared: true}", "--weighting", "druw", "--dimension_weighting", "dwa"]
    (tmp_path / "options.json").write_text(json.dumps([*ssl_options, *more]))
    command = [sys.executable, str(ROOT / "tests/support/restart_driver.py"), str(tmp_path), "undisturbed,mid_epoch"]
    result = subprocess.run(command, capture_output=True, text=True, env=ENV, check=False, timeout=900)
    assert result.returncode == 0, result.stderr[-3000:]
    runs = json.loads(result.stdout.splitlines()[-1])
    assert runs["mid_epoch"]["first"] < 0
    assert runs["undisturbed"]["second"] == runs["mid_epoch"]["second"] == 0, runs["mid_epoch"]["log"][-3000:]
    one, two = (torch.load(tmp_path / name / "checkpoint.pth", weights_only=True) for name in runs)
    for name, value in one["model"].items():
        assert torch.equal(value, two["model"][name]), name
    assert one["schedulers"] == two["schedulers"]
    assert one["optimizers"][0]["param_groups"][0]["lr"] == pytest.approx(0.0005)
    start = safetensors_of(ssl_options)["encoder.layers.0.attention.q_proj.weight"]
    assert not torch.allclose(one["model"]["encoder.backbone.layers.0.attention.q_proj.weight"], start)
    frozen = safetensors_of(ssl_options)["feature_extractor.conv_layers.0.conv.weight"]
    assert torch.equal(one["model"]["encoder.backbone.convolutions.0.conv.weight"], frozen)


def safetensors_of(options: list[str]) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    folder = options[options.index("--encoder_conf") + 1].removeprefix("model=")
    return load_file(f"{folder}/model.safetensors")


def test_refused_before_training(ssl_options: list[str], tmp_path: Path) -> None:
    model = ssl_options[ssl_options.index("--encoder_conf") + 1]
    text = complaint(ssl_options, tmp_path / "a", "--normalize", "utterance_mvn")
    assert "set normalize: null" in text
    text = complaint(ssl_options, tmp_path / "b", "--encoder_conf", "architecture={}")
    assert "give model instead" in text
    text = complaint(ssl_options, tmp_path / "c", "--encoder_conf", f"{{{model.replace('=', ': ')}, freeze: all}}")
    assert "nothing of the encoder learns" in text
    text = complaint(ssl_options, tmp_path / "d", "--encoder_conf", f"{{{model.replace('=', ': ')}, frieze: all}}")
    assert "frieze" in text
    plateau = ["--scheduler", "reducelronplateau", "--scheduler_conf", "mode=min"]
    assert "set mode: max" in complaint(ssl_options, tmp_path / "e", *plateau)
    loss = ["--val_scheduler_criterion", "valid", "loss_age"]
    assert "set mode: min" in complaint(
        ssl_options, tmp_path / "f", *plateau[:2], "--scheduler_conf", "mode=max", *loss
    )


def test_other_rates_are_refused(ssl_options: list[str], tmp_path: Path) -> None:
    dump = Path(ssl_options[ssl_options.index("--train_dir") + 1])
    shutil.copytree(dump, tmp_path / "train")
    (tmp_path / "train/feature.yaml").write_text(yaml.safe_dump({"name": "raw", "sample_rate": 8000}))
    text = complaint(ssl_options, tmp_path / "exp", "--train_dir", str(tmp_path / "train"))
    assert "raw at 8000 Hz" in text
    assert "sample_rate: 16000" in text
