"""Small trainings: what they log, keep and average, when they stop, and what they can be loaded as."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tiny_dump import make_experiment
from train_tiny import train
from wave_dump import make_wave_dump

from espnet2_ext.data.crop import Crop
from espnet2_ext.data.dataset import MTLDataset
from espnet2_ext.data.sampler import SequentialBatchSampler
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.table import read_table, write_table
from espnet2_ext.mtl.build import load_trained
from espnet2_ext.mtl.task_spec import task_spec_from_dict
from espnet2_ext.mtl.weighting import WEIGHTINGS
from espnet2_ext.tasks.mtl import MTLTask
from espnet2_ext.train.evaluate import evaluate_model


@pytest.fixture(scope="module")
def trained(options: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("trained") / "exp"
    more = ["--weighting", "druw", "--weighting_lr", "0.05", "--encoder_lr", "0.002", "--log_interval", "2"]
    more += ["--use_tensorboard", "true"]
    more += ["--best_model_criterion", "valid,score,max", "valid,age_mae,min"]
    return out, train(options, out, *more)


def test_history_has_all_values(trained: tuple[Path, dict[str, Any]]) -> None:
    _, history = trained
    assert list(history) == ["1", "2", "3", "4"]
    tasks = ("emotion", "age", "country")
    names = {"loss", "grad_norm", "clip", "skipped", "iter_time", "train_time", "restraint_sum"}
    names |= {f"{what}_{task}" for what in ("loss", "weight", "alpha", "lambda") for task in tasks}
    names |= {"lr_encoder", "lr_heads", "lr_weighting"}
    valid = {f"emotion_{m}" for m in ("ccc", "pearson", "mae")} | {f"age_{m}" for m in ("ccc", "pearson", "mae")}
    valid |= {f"country_{m}" for m in ("uar", "wa", "macro_f1")} | {f"loss_{task}" for task in tasks}
    for epoch in history.values():
        assert names <= set(epoch["train"])
        assert valid | {"s_mtl", "score"} <= set(epoch["valid"])
        assert epoch["valid"]["score"] == epoch["valid"]["s_mtl"]
        assert epoch["train"]["skipped"] == 0
        rates = [epoch["train"][f"lr_{g}"] for g in ("encoder", "heads", "weighting")]
        assert rates == pytest.approx([0.002, 0.005, 0.05])
    # Equal lambdas in the first two epochs, and then those of the losses.
    assert [history[e]["train"]["lambda_age"] for e in "12"] == [1, 1]
    assert history["3"]["train"]["lambda_age"] != 1


def test_lambdas_are_dwa_of_the_logged_losses(trained: tuple[Path, dict[str, Any]]) -> None:
    """The weighting got the means of the epoch that the log shows: K softmax(r / T), T = 10."""
    _, history = trained
    losses = {e: np.array([history[e]["train"][f"loss_{t}"] for t in ("emotion", "age", "country")]) for e in "1234"}
    for epoch in ("3", "4"):
        before, last = losses[str(int(epoch) - 2)], losses[str(int(epoch) - 1)]
        powers = np.exp(last / before / 10)
        found = [history[epoch]["train"][f"lambda_{t}"] for t in ("emotion", "age", "country")]
        np.testing.assert_allclose(found, 3 * powers / powers.sum(), rtol=1e-5)


def test_weighting_parameters_are_optimised_in_their_own_group(trained: tuple[Path, dict[str, Any]]) -> None:
    out, _ = trained
    groups = torch.load(out / "checkpoint.pth", weights_only=True)["optimizers"][0]["param_groups"]
    assert [group["name"] for group in groups] == ["encoder", "heads", "weighting"]
    assert (groups[2]["weight_decay"], groups[2]["lr"]) == (0.0, 0.05)
    assert all(group["weight_decay"] > 0 for group in groups[:2])
    assert len(groups[2]["params"]) == 1
    last = torch.load(out / "latest.pth", weights_only=True)
    for task in ("emotion", "age", "country"):
        assert abs(last[f"weighting.log_alpha2.{task}"].item()) > 0.01  # it starts at 0


@pytest.mark.parametrize("weighting", [n for n in WEIGHTINGS if n not in ("equal", "static", "dwa")])
def test_every_weightings_parameters_are_in_the_optimiser(options: list[str], tmp_path: Path, weighting: str) -> None:
    parser = MTLTask.get_parser()
    args = parser.parse_args([*options, "--weighting", weighting, "--output_dir", str(tmp_path)])
    model = MTLTask.build_model(args)
    (optimizer,) = MTLTask.build_optimizers(args, model)
    group = next(g for g in optimizer.param_groups if g["name"] == "weighting")
    assert group["weight_decay"] == 0
    assert {id(p) for p in group["params"]} == {id(p) for p in model.weighting.parameters()}
    everything = [id(p) for g in optimizer.param_groups for p in g["params"]]
    assert sorted(everything) == sorted(id(p) for p in model.parameters())


def test_average_is_of_the_best_epochs(trained: tuple[Path, dict[str, Any]]) -> None:
    out, history = trained
    for name, sign in (("score", -1), ("age_mae", 1)):
        best = sorted(history, key=lambda e, n=name, s=sign: (s * history[e]["valid"][n], int(e)))[:2]
        states = [torch.load(out / f"{e}epoch.pth", weights_only=True) for e in best]
        averaged = torch.load(out / f"valid.{name}.ave.pth", weights_only=True)
        assert os.readlink(out / f"valid.{name}.best.pth") == f"{best[0]}epoch.pth"
        for key, value in averaged.items():
            if value.is_floating_point():
                expected = np.mean([s[key].numpy().astype(np.float64) for s in states], axis=0)
                np.testing.assert_allclose(value.numpy(), expected, rtol=1e-6, atol=1e-9)
            else:
                assert torch.equal(value, states[0][key])
    kept = {p.name for p in out.glob("*epoch.pth")}
    wanted = {
        f"{e}epoch.pth" for name, sign in (("score", -1), ("age_mae", 1))
        for e in sorted(history, key=lambda e, n=name, s=sign: (s * history[e]["valid"][n], int(e)))[:2]
    }  # fmt: skip
    assert wanted <= kept <= wanted | {"4epoch.pth"}


def test_trained_model_loads_strictly_and_scores_as_logged(
    trained: tuple[Path, dict[str, Any]], options: list[str]
) -> None:
    out, history = trained
    model, config = load_trained(out / "config.yaml", out / "valid.score.best.pth")
    spec = task_spec_from_dict(config["task_spec"])
    dataset = MTLDataset(config["valid_dir"], spec, Crop(**config["crop_conf"]), train=False)
    batches = [dataset.__getitems__(items) for items in SequentialBatchSampler(len(dataset), 8)]
    metrics = evaluate_model(model, batches, "cpu", torch.autocast("cpu", enabled=False))
    best = max(history.values(), key=lambda epoch: epoch["valid"]["score"])
    for name, value in metrics.items():
        assert value == pytest.approx(best["valid"][name], rel=1e-5, nan_ok=True), name


def test_environment_and_tensorboard(trained: tuple[Path, dict[str, Any]]) -> None:
    out, _ = trained
    env = yaml.safe_load((out / "env.yaml").read_text())
    assert env["versions"]["torch"] == torch.__version__.split("+")[0]
    model, _ = load_trained(out / "config.yaml", out / "latest.pth")
    assert env["n_parameters"] == sum(p.numel() for p in model.parameters())
    assert list((out / "tensorboard/train").iterdir())
    assert list((out / "tensorboard/valid").iterdir())


def test_finished_training_run_again_trains_no_more(options: list[str], tmp_path: Path) -> None:
    out = tmp_path / "exp"
    first = train(options, out, "--max_epoch", "2")
    made = ("checkpoint.pth", "env.yaml")
    before = [(out / name).stat().st_mtime_ns for name in made]
    assert train(options, out, "--max_epoch", "2") == first
    assert [(out / name).stat().st_mtime_ns for name in made] == before
    assert list(train(options, out, "--max_epoch", "3")) == ["1", "2", "3"]


def test_early_stopping_and_no_further_epoch(options: list[str], tmp_path: Path) -> None:
    """Nothing is learnt, so epoch 1 stays the best (of equals the first): patience 1 ends after epoch 3."""
    still = ["--optim_conf", "lr=0.0", "--patience", "1", "--max_epoch", "9", "--encoder_conf", "norm=group"]
    out = tmp_path / "exp"
    history = train(options, out, *still)
    assert len({epoch["valid"]["score"] for epoch in history.values()}) == 1
    assert list(history) == ["1", "2", "3"]
    before = (out / "checkpoint.pth").stat().st_mtime_ns
    assert train(options, out, *still) == history
    assert (out / "checkpoint.pth").stat().st_mtime_ns == before
    assert os.readlink(out / "valid.score.best.pth") == "1epoch.pth"


@pytest.mark.parametrize(("tasks", "score"), [(["age"], "age_mae"), (["emotion"], "emotion_ccc")])
def test_single_task(options: list[str], tmp_path: Path, tasks: list[str], score: str) -> None:
    history = train(options, tmp_path / "exp", "--max_epoch", "1", "--weighting", "uw", "--tasks", *tasks)
    valid = history["1"]["valid"]
    expected = 1 / valid[score] if score == "age_mae" else max(valid[score], 0)
    assert valid["score"] == pytest.approx(expected)
    assert "s_mtl" not in valid  # a part of the score is not called as the whole
    state = torch.load(tmp_path / "exp/latest.pth", weights_only=True)
    assert {name.split(".")[1] for name in state if name.startswith("heads.")} == set(tasks)
    # Age leaves after block 1: block 2 is not even built.
    assert any(name.startswith("encoder.blocks.1") for name in state) == (tasks != ["age"])


def test_plateau_scheduler_goes_by_the_score(options: list[str], tmp_path: Path) -> None:
    """Only the weighting is trained, so the score stays: the rate is halved after each epoch but the first."""
    frozen = ["--freeze_param", "encoder", "heads", "--encoder_conf", "norm=group", "--weighting", "uw"]
    plateau = ["--scheduler", "reducelronplateau", "--scheduler_conf", "{mode: max, patience: 0, factor: 0.5}"]
    history = train(options, tmp_path / "exp", *frozen, *plateau, "--weighting_lr", "0.1", "--max_epoch", "4")
    assert len({epoch["valid"]["score"] for epoch in history.values()}) == 1
    assert [history[e]["train"]["lr_weighting"] for e in "1234"] == pytest.approx([0.1, 0.1, 0.05, 0.025])


def test_plateau_after_warmup_goes_by_the_score(options: list[str], tmp_path: Path) -> None:
    """ESPnet's default is min, by which the rate of a training that gains falls."""
    plateau = ["--scheduler", "warmupreducelronplateau", "--scheduler_conf", "warmup_steps=2"]
    train(options, tmp_path / "exp", *plateau, "--max_epoch", "1")
    saved = torch.load(tmp_path / "exp/checkpoint.pth", weights_only=True)
    assert saved["schedulers"][0]["mode"] == "max"


def test_step_scheduler_goes_by_steps(options: list[str], tmp_path: Path) -> None:
    """Warm-up over 6 steps: after steps 1, 2 and 3 the rate is 2/6, 3/6 and 4/6 of .005."""
    warmup = ["--scheduler", "warmuplr", "--scheduler_conf", "warmup_steps=6", "--log_interval", "1"]
    history = train(options, tmp_path / "exp", *warmup, "--max_epoch", "1")
    assert history["1"]["train"]["lr_heads"] == pytest.approx(0.005 / 2)


@pytest.mark.parametrize(
    "more",
    [
        ["--augment", "[{name: mixup}, {name: spec_augment}]", "--num_workers", "1", "--use_amp", "true"],
        ["--use_amp", "true"], ["--train_dtype", "float64"], ["--accum_grad", "2"], ["--num_workers", "1"],
        ["--encoder", "cnn10", "--encoder_conf", "norm=group", "--task_exits", "{emotion: 1, country: 1}"],
        ["--normalize", "utterance_mvn", "--crop_conf", "{padding: zero, evaluation: whole, min_frames: 8}"],
        ["--normalize", "none"], ["--optim", "sgd"], ["--channels_last", "false"], ["--batch_size", "100"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_one_epoch_with(options: list[str], tmp_path: Path, more: list[str]) -> None:
    out = tmp_path / "exp"
    history = train(options, out, "--max_epoch", "1", *more)
    assert np.isfinite(history["1"]["train"]["loss"])
    assert history["1"]["train"]["skipped"] == 0
    load_trained(out / "config.yaml", out / "valid.score.ave.pth")


def test_augmentation_is_for_training_batches_only(options: list[str], tmp_path: Path) -> None:
    """Features of waves that are changed and mixed while training; with a rate of 0 validation is as without."""
    make_wave_dump(tmp_path / "train", 16, 0, "tr", {"name": "log_mel", "n_mels": 8})
    still = ["--train_dir", f"{tmp_path}/train", "--optim_conf", "lr=0.0", "--max_epoch", "2", "--task_stats",
             options[options.index("--task_stats") + 1], "--encoder_conf", "norm=group"]  # fmt: skip
    augment = "[{name: speed}, {name: noise}, {name: gain}, {name: mixup, domain: linear}, {name: spec_augment}]"
    plain = train(options, tmp_path / "plain", *still)
    augmented = train(options, tmp_path / "augmented", *still, "--augment", augment)
    assert plain["1"]["valid"]["score"] == plain["2"]["valid"]["score"]
    for epoch in "12":
        one, two = (history[epoch]["valid"] | {"time": 0} for history in (augmented, plain))
        assert one == two
        for task in ("emotion", "age", "country"):
            assert augmented[epoch]["train"][f"loss_{task}"] != plain[epoch]["train"][f"loss_{task}"]
    config = yaml.safe_load((tmp_path / "augmented/config.yaml").read_text())
    assert config["augment"][3] == {"name": "mixup", "domain": "linear"}


def test_diverging_training_is_one_line(options: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lower the learning rate"):
        train(options, tmp_path / "exp", "--optim", "sgd", "--optim_conf", "lr=1.0e+30", "--max_epoch", "3")


def test_training_starts_from_given_weights(
    trained: tuple[Path, dict[str, Any]], options: list[str], tmp_path: Path
) -> None:
    out, _ = trained
    still = ["--optim_conf", "{lr: 0.0, weight_decay: 0.0}", "--max_epoch", "1"]
    train(options, tmp_path / "exp", *still, "--init_param", f"{out}/latest.pth:encoder:encoder")
    given, found = (torch.load(p / "latest.pth", weights_only=True) for p in (out, tmp_path / "exp"))
    for name in given:
        if name.startswith("encoder.") and name.endswith("weight"):
            assert torch.equal(given[name], found[name]), name


def test_training_starts_from_weights_of_panns(options: list[str], tmp_path: Path) -> None:
    """A trained model does without the file."""
    names = [f"conv_block{i}.{part}" for i in (1, 2) for part in ("conv1", "bn1", "conv2", "bn2")]
    widths = dict(zip(names, [(4, 1), 4, (4, 4), 4, (8, 4), 8, (8, 8), 8], strict=True)) | {"bn0": 8}
    state = {"fc1.weight": torch.rand(8, 8), "fc1.bias": torch.rand(8)}
    for name, width in widths.items():
        if isinstance(width, tuple):
            state[f"{name}.weight"] = torch.rand(*width, 3, 3)
        else:
            state |= {f"{name}.{key}": torch.rand(width) for key in ("weight", "bias", "running_mean", "running_var")}
    torch.save({"model": state}, tmp_path / "panns.pth")
    still = ["--encoder", "cnn10", "--task_exits", "{emotion: 1, country: 1}", "--max_epoch", "1"]
    still += ["--optim_conf", "{lr: 0.0, weight_decay: 0.0}", "--panns_weights", f"{tmp_path}/panns.pth"]
    train(options, tmp_path / "exp", *still)
    (tmp_path / "panns.pth").unlink()
    model, _ = load_trained(tmp_path / "exp/config.yaml", tmp_path / "exp/latest.pth")
    assert torch.equal(model.encoder.blocks[1].conv1.weight, state["conv_block2.conv1.weight"])
    assert torch.equal(model.encoder.exit_layer.linear.bias, state["fc1.bias"])
    with pytest.raises(UserError, match="panns_weights is for the encoders cnn10 and cnn14, not multi_exit_cnn"):
        train(options, tmp_path / "other", "--panns_weights", f"{tmp_path}/panns.pth")


def test_certain_soft_labels_train_as_classes(tmp_path: Path) -> None:
    """Probabilities 0 and 1 are the classes; others give another loss. Validation is by the classes."""
    options = make_experiment(tmp_path, n_train=16, n_dev=9)
    more = ("--max_epoch", "1", "--soft_labels", "country")
    expected = train(options, tmp_path / "hard", "--max_epoch", "1")["1"]
    classes = read_table(tmp_path / "dump/train/utt2country")
    soft = tmp_path / "dump/train/utt2country_soft"
    write_table(soft, {utt: {"here": "1 0", "there": "0 1"}[name] for utt, name in classes.items()})
    found = train(options, tmp_path / "certain", *more)["1"]
    for name in ("loss_country", "loss_age", "loss_emotion"):
        assert found["train"][name] == pytest.approx(expected["train"][name], rel=1e-5), name
        assert found["valid"][name] == pytest.approx(expected["valid"][name], rel=1e-4), name
    write_table(soft, dict.fromkeys(classes, "0.5 0.5"))
    # Cross entropy with even shares is at least log 2.
    even = train(options, tmp_path / "even", *more)["1"]
    assert even["train"]["loss_country"] >= np.log(2) - 1e-6
    assert even["train"]["loss_country"] != pytest.approx(expected["train"]["loss_country"], rel=1e-3)
