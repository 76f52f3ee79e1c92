"""The task as a whole: its command line, its configurations, and small trainings in this process."""

import argparse
import inspect
import io
import itertools
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from espnet2.tasks.abs_task import optim_classes, scheduler_classes
from tiny_dump import make_dump, make_experiment

from espnet2_ext.bin.resolve_config import resolve_config
from espnet2_ext.data.check_tasks import check_tasks, write_task_stats
from espnet2_ext.data.crop import Crop
from espnet2_ext.data.dataset import MTLDataset
from espnet2_ext.data.sampler import SequentialBatchSampler
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.ark import ArkWriter
from espnet2_ext.fileio.table import write_table
from espnet2_ext.mtl.build import load_trained
from espnet2_ext.mtl.encoder import ENCODERS
from espnet2_ext.mtl.normalize import NORMALIZERS
from espnet2_ext.mtl.task_spec import TaskSpec, load_task_spec, task_spec_from_dict
from espnet2_ext.mtl.weighting import WEIGHTINGS
from espnet2_ext.tasks.mtl import MTLTask
from espnet2_ext.tasks.options import REFUSED
from espnet2_ext.train.evaluate import evaluate_model

ROOT = Path(__file__).parents[3]
CONFIGS = sorted(ROOT.glob("egs/*/*/conf/**/train*.yaml"))


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options of a small training; the last one of a kind wins, so tests append theirs."""
    torch.set_num_threads(1)
    return make_experiment(tmp_path_factory.mktemp("experiment"), n_train=24, n_dev=9)


def train(options: list[str], out: Path, *more: str) -> dict[str, Any]:
    """Train; return history.json."""
    MTLTask.main(cmd=[*options, "--output_dir", str(out), *more])
    return json.loads((out / "history.json").read_text())


def complaint(options: list[str], out: Path, *more: str, config: dict[str, Any] | None = None) -> str:
    """The one line that a training ends with before it begins."""
    if config is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        (out.parent / "given.yaml").write_text(yaml.safe_dump(config))
        more = (*more, "--config", str(out.parent / "given.yaml"))
    with pytest.raises(UserError) as caught:
        MTLTask.main(cmd=[*options, "--output_dir", str(out), *more])
    assert "\n" not in str(caught.value)
    assert not (out / "checkpoint.pth").exists()
    return str(caught.value)


# The command line


def test_help(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        MTLTask.main(cmd=["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for name in ("task_config", "weighting", "weighting_conf", "encoder_lr", "crop_conf", "task_exits", "amp_dtype"):
        assert f"--{name}" in text


def test_every_option_says_what_it_is() -> None:
    ours = [g for g in MTLTask.get_parser()._action_groups if g.description == "Task related"]
    actions = list(itertools.chain.from_iterable(group._group_actions for group in ours))
    assert len(actions) > 15
    assert all(action.help for action in actions)


def test_printed_configuration_loads_again(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mtl_train", "--weighting", "druw", "--print_config"])
    with pytest.raises(SystemExit) as caught:
        MTLTask.main(cmd=sys.argv[1:])
    assert caught.value.code == 0
    file = io.StringIO()
    MTLTask.print_config(file)
    text = file.getvalue()
    printed = yaml.safe_load(text)
    assert (printed["weighting"], printed["weighting_conf"]["temperature"]) == ("druw", 10.0)
    (tmp_path / "printed.yaml").write_text(text)
    more = ["--config", str(tmp_path / "printed.yaml"), "--output_dir", str(tmp_path / "out"), "--dry_run", "true"]
    MTLTask.main(cmd=[*options, *more])
    config = yaml.safe_load((tmp_path / "out/config.yaml").read_text())
    assert config["weighting_conf"] == printed["weighting_conf"]
    # And what training wrote loads again, without the keys that ESPnet adds for itself.
    known = {action.dest for action in MTLTask.get_parser()._actions}
    mine = {name: value for name, value in config.items() if name in known}
    (tmp_path / "second.yaml").write_text(yaml.safe_dump(mine))
    MTLTask.main(cmd=["--config", str(tmp_path / "second.yaml"), "--output_dir", str(tmp_path / "again")])
    second = yaml.safe_load((tmp_path / "again/config.yaml").read_text())
    assert {k: v for k, v in second.items() if k not in ("config", "output_dir")} == {
        k: v for k, v in config.items() if k not in ("config", "output_dir")
    }


# What the recipes bring


def dump_for(spec: TaskSpec, folder: Path, prefix: str) -> Path:
    """A set of 40 utterances with labels of every task, in its range, every class among them."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    utts = [f"{prefix}{i:02d}" for i in range(40)]
    with ArkWriter(folder / "feats.ark", folder / "feats.scp") as writer:
        for utt in utts:
            writer.write(utt, rng.normal(size=(80, 64)))
    write_table(folder / "utt2spk", dict.fromkeys(utts, prefix))
    for task in spec:
        low, high = task.range or (0, 1)
        write_table(
            folder / f"utt2{task.name}",
            {
                utt: task.classes[i % len(task.classes)]
                if task.is_classification
                else " ".join(f"{v:.4f}" for v in rng.uniform(low, high, task.n_targets))
                for i, utt in enumerate(utts)
            },
        )
    return folder


def recipe_of(config: Path) -> Path:
    """The recipe's folder: the one above conf/."""
    return next(parent.parent for parent in config.parents if parent.name == "conf")


@pytest.fixture(scope="module")
def recipe_options(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], list[str]]:
    made: dict[Path, list[str]] = {}

    def make(tasks: Path) -> list[str]:
        if tasks not in made:
            folder, spec = tmp_path_factory.mktemp("recipe"), load_task_spec(tasks)
            train_dir, valid_dir = (dump_for(spec, folder / name, name) for name in ("train", "dev"))
            write_task_stats(check_tasks(spec, train_dir, [valid_dir]), folder / "task_stats.yaml")
            np.savez(folder / "feats_stats.npz", count=2, sum=np.zeros(64), sum_square=np.ones(64))
            made[tasks] = [
                "--task_config", str(tasks), "--train_dir", str(train_dir), "--valid_dir", str(valid_dir),
                "--task_stats", f"{folder}/task_stats.yaml", "--feature_stats", f"{folder}/feats_stats.npz",
                "--use_tensorboard", "false",
            ]  # fmt: skip
        return made[tasks]

    return make


def test_there_are_configurations() -> None:
    assert CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=[str(p.relative_to(ROOT / "egs")) for p in CONFIGS])
def test_every_recipes_configuration_builds(path: Path, recipe_options: Callable, tmp_path: Path) -> None:
    config = resolve_config(path)
    tasks = recipe_of(path) / str(config.get("task_config", "conf/tasks.yaml"))
    if recipe_of(path).parent.name == "TEMPLATE":  # it has no corpus, so no tasks
        tasks = ROOT / "egs/mini_vb/mtl1/conf/tasks.yaml"
    config.pop("task_config", None)
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(config))
    more = ["--config", str(tmp_path / "train.yaml"), "--output_dir", str(tmp_path / "out"), "--dry_run", "true"]
    MTLTask.main(cmd=[*recipe_options(tasks), *more])
    resolved = yaml.safe_load((tmp_path / "out/config.yaml").read_text())
    assert [t["name"] for t in resolved["task_spec"]["tasks"]] == [
        name for name in load_task_spec(tasks).names if not config.get("tasks") or name in config["tasks"]
    ]


@pytest.mark.parametrize("path", CONFIGS, ids=[str(p.relative_to(ROOT / "egs")) for p in CONFIGS])
def test_every_key_is_used(path: Path) -> None:
    """Keys are options; keys of *_conf are arguments of the class that the file names."""
    config = resolve_config(path)
    known = {action.dest for action in MTLTask.get_parser()._actions}
    assert set(config) <= known
    defaults = {"encoder": "multi_exit_cnn", "normalize": "global_mvn", "weighting": "equal", "optim": "adamw"}
    classes = {"encoder": ENCODERS, "normalize": NORMALIZERS, "weighting": WEIGHTINGS, "optim": optim_classes}
    classes["scheduler"] = scheduler_classes
    for name, choices in classes.items():
        conf = config.get(f"{name}_conf", {})
        chosen = config.get(name, defaults.get(name))
        if conf:
            assert set(conf) <= set(inspect.signature(choices[chosen]).parameters), name
    assert set(config.get("crop_conf", {})) <= set(inspect.signature(Crop).parameters)
    assert set(config.get("head_conf", {})) <= {"hidden_size", "dropout"}


# What is refused


def not_default(action: argparse.Action) -> Any:
    """Another value than the default, of a type that the option could have in yaml."""
    default = action.default
    if isinstance(default, bool):
        return not default
    if isinstance(default, int | float):
        return default + 1
    if default is None and action.type is not None and action.choices is None:
        return 7
    return ["x"] if isinstance(default, list | tuple) else {"x": 1} if isinstance(default, dict) else "other"


@pytest.mark.parametrize("name", REFUSED)
def test_espnets_options_without_use_are_refused(options: list[str], tmp_path: Path, name: str) -> None:
    action = next((a for a in MTLTask.get_parser()._actions if a.dest == name), None)
    if action is None:
        pytest.skip("not an option of this ESPnet")
    line = complaint(options, tmp_path / "out", config={name: not_default(action)})
    assert line == f"--{name} is not for the multi-task task; see its --help for what is"


def test_all_options_are_used_or_refused() -> None:
    """An option of a later ESPnet has to be looked at: it stands here, or among the refused ones."""
    used = {
        "config", "help", "print_config", "log_level", "dry_run", "output_dir", "ngpu", "seed", "num_workers",
        "dist_backend", "dist_init_method", "dist_world_size", "dist_rank", "local_rank", "dist_master_addr",
        "dist_master_port", "dist_launcher", "multiprocessing_distributed", "unused_parameters",
        "gradient_as_bucket_view", "cudnn_enabled", "cudnn_benchmark", "cudnn_deterministic", "use_tf32", "max_epoch",
        "patience", "val_scheduler_criterion", "early_stopping_criterion", "best_model_criterion", "keep_nbest_models",
        "grad_clip", "grad_clip_type", "accum_grad", "resume", "train_dtype", "use_amp", "log_interval",
        "use_tensorboard", "use_wandb", "wandb_project", "wandb_id", "wandb_entity", "wandb_name", "detect_anomaly",
        "pretrain_path", "init_param", "ignore_init_mismatch", "freeze_param", "batch_size", "valid_batch_size",
        "optim", "optim_conf", "scheduler", "scheduler_conf",
    }  # fmt: skip
    parser = MTLTask.get_parser()
    ours = {a.dest for g in parser._action_groups if g.description == "Task related" for a in g._group_actions}
    assert {action.dest for action in parser._actions} - used - ours - set(REFUSED) == set()


CRITERION = [["valid", "score", "max"]]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"best_model_criterion": [["valid", "loss", "min"]]}, "criterion valid,loss,min: phase is valid and the name"),
        ({"best_model_criterion": [["train", "score", "max"]]}, "criterion train,score,max"),
        ({"best_model_criterion": [*CRITERION, ["valid", "age_ccc", "best"]]}, "the mode is min or max"),
        ({"best_model_criterion": [["valid", "score"]]}, "give [phase,name,mode]"),
        ({"best_model_criterion": ["valid,score,max"]}, "give [phase,name,mode]"),
        ({"early_stopping_criterion": ["valid", "acc", "max"]}, "criterion valid,acc,max"),
        ({"val_scheduler_criterion": ["valid", "hmean"]}, "criterion valid,hmean"),
        ({"optim": "adamww"}, "--optim adamww: choose among"),
        ({"scheduler": "plateau"}, "--scheduler plateau: choose among"),
        ({"encoder": "cnn11"}, "--encoder cnn11: choose among multi_exit_cnn, cnn10, cnn14"),
        ({"weighting": "uww"}, "--weighting uww: choose among equal"),
        ({"amp_dtype": "bf16"}, "--amp_dtype bf16: choose among bfloat16, float16"),
        ({"encoder_lr": "fast"}, "argument --encoder_lr: invalid float_or_none value: 'fast'"),
        ({"encoder_lr": True}, "--encoder_lr True: not of type float"),
        ({"encoder_lr": [0.1]}, "--encoder_lr [0.1]: not of type float"),
        ({"optim_conf": {"lr": "1e-3"}}, "optim_conf: "),
        ({"optim_conf": {"rate": 0.1}}, "optim_conf: "),
        ({"batch_size": "eight"}, "argument --batch_size: invalid int value: 'eight'"),
        ({"batch_size": 8.5}, "--batch_size 8.5: not of type int"),
        ({"batch_size": 0}, "--batch_size 0: give a number above 0"),
        ({"valid_batch_size": -1}, "--valid_batch_size -1"),
        ({"accum_grad": 0}, "--accum_grad 0"),
        ({"max_epoch": 0}, "--max_epoch 0"),
        ({"grad_clip": 0.0}, "--grad_clip 0.0"),
        ({"grad_clip": -1.0}, "--grad_clip -1.0"),
        ({"seed": -1}, "--seed -1"),
        ({"patience": -1}, "--patience -1"),
        ({"keep_nbest_models": 0}, "--keep_nbest_models 0"),
        ({"keep_nbest_models": [3, 0]}, "--keep_nbest_models [3, 0]"),
        ({"use_amp": "maybe"}, "argument --use_amp: invalid str2bool value: 'maybe'"),
        ({"channels_last": 3}, "--channels_last 3: not of type"),
        ({"encoder_conf": {"chanels": [4, 4]}}, "encoder_conf: "),
        ({"weighting_conf": {"temperature": 2}}, "weighting equal: no such option: temperature"),
        ({"head_conf": {"width": 1}}, "head_conf: no such option: width"),
        ({"crop_conf": {"frame": 20}}, "crop_conf: "),
        ({"crop_conf": {"frames": 20.5}}, "crop_conf: crop: frames is a whole number"),
        ({"tasks": ["emotoin"]}, "choose among emotion, age, country"),
        ({"task_exits": {"age": 7}}, "exit 7: the encoder has exits 1 to 2"),
        ({"task_exits": {"aeg": 1}}, "exits: aeg: 1"),
        ({"task_config": None}, "--task_config is required"),
        ({"train_dir": None}, "--train_dir is required"),
        ({"task_config": "gone.yaml"}, "gone.yaml: cannot be read"),
        ({"train_dir": "gone"}, "gone/feats.scp: no such file"),
        ({"valid_dir": "gone"}, "gone/feats.scp: no such file"),
        ({"task_stats": None}, "--task_stats is missing: task 'age'"),
        ({"task_stats": "gone.yaml"}, "gone.yaml: cannot be read; run stage 4 again"),
        ({"feature_stats": None}, "--feature_stats is missing"),
        ({"feature_stats": "gone.npz"}, "run stage 5 again"),
        ({"chanels_last": True}, "unrecognized arguments: chanels_last"),
    ],
    ids=str,
)
def test_impossible_options_of_a_configuration_file(
    options: list[str], tmp_path: Path, config: dict[str, Any], expected: str
) -> None:
    given = [f"--{name}" for name in config]
    pairs = [options[i : i + 2] for i in range(0, len(options), 2)]
    rest = [word for pair in pairs if pair[0] not in given for word in pair]
    assert expected in complaint(rest, tmp_path / "x/out", config=config)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--wrong", "1"], "unrecognized arguments: --wrong 1; see --help"),
        (["--weigh", "uw"], "unrecognized arguments: --weigh uw"),
        (["--weighting", "uww"], "argument --weighting: invalid choice: 'uww'"),
        (["--max_epoch", "many"], "argument --max_epoch: invalid int value: 'many'"),
        (["--config", "gone.yaml"], "No such file: gone.yaml"),
    ],
)
def test_impossible_options_of_the_command_line(
    options: list[str], tmp_path: Path, more: list[str], expected: str
) -> None:
    assert expected in complaint(options, tmp_path / "out", *more)


def test_no_output_dir(options: list[str]) -> None:
    with pytest.raises(UserError, match="--output_dir is required"):
        MTLTask.main(cmd=options)


def test_balanced_class_weights_need_statistics(options: list[str], tmp_path: Path) -> None:
    data = yaml.safe_load(Path(options[1]).read_text())
    data["tasks"][1]["normalise"] = False
    data["tasks"][2]["loss_conf"] = {"class_weights": "balanced"}
    (tmp_path / "tasks.yaml").write_text(yaml.safe_dump(data))
    rest = [o for i, o in enumerate(options) if "--task_stats" not in options[max(0, i - 1) : i + 1]]
    line = complaint(rest, tmp_path / "out", "--task_config", str(tmp_path / "tasks.yaml"))
    assert line == "--task_stats is missing: task 'country' of tasks.yaml needs it; run stage 4"


def test_validation_set_of_other_features(options: list[str], tmp_path: Path) -> None:
    make_dump(tmp_path / "dev", 5, 0, "dv")
    with ArkWriter(tmp_path / "dev/feats.ark", tmp_path / "dev/feats.scp") as writer:
        writer.write("dv0-000", np.ones((30, 7)))
    line = complaint(options, tmp_path / "out", "--valid_dir", str(tmp_path / "dev"))
    assert "features have 7 bins, not 8" in line


def test_one_line_and_status_1_from_the_shell(options: list[str], tmp_path: Path) -> None:
    """The whole way once; the other cases above are the same exception."""
    command = [sys.executable, "-m", "espnet2_ext.bin.mtl_train", *options, "--output_dir", str(tmp_path / "out")]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [*command, "--encoder_conf", "chanels=3"], capture_output=True, text=True, env=env, check=False, cwd=tmp_path
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("error: encoder_conf: ")
    assert "chanels" in last
    assert not (tmp_path / "out").exists()


def test_run_cli_prints_the_line(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        run_cli(lambda: MTLTask.main(cmd=[*options, "--output_dir", str(tmp_path / "out"), "--wrong", "1"]))
    assert caught.value.code == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: unrecognized arguments: --wrong 1; see --help"


# Trainings


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
    before = (out / "checkpoint.pth").stat().st_mtime_ns
    assert train(options, out, "--max_epoch", "2") == first
    assert (out / "checkpoint.pth").stat().st_mtime_ns == before
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
    assert valid["s_mtl"] == pytest.approx(expected)
    state = torch.load(tmp_path / "exp/latest.pth", weights_only=True)
    assert {name.split(".")[1] for name in state if name.startswith("heads.")} == set(tasks)
    # Age leaves after block 1: block 2 is not even built.
    assert any(name.startswith("encoder.blocks.1") for name in state) == (tasks != ["age"])


def test_schedulers_see_the_score_and_the_steps(options: list[str], tmp_path: Path) -> None:
    still = ["--optim_conf", "lr=0.0", "--encoder_conf", "norm=group"]
    plateau = ["--scheduler", "reducelronplateau", "--scheduler_conf", "{mode: max, patience: 0, factor: 0.5}"]
    history = train(options, tmp_path / "a", *plateau, "--max_epoch", "3", *still, "--encoder_lr", "0.0")
    assert [history[e]["train"]["lr_heads"] for e in "123"] == [0, 0, 0]
    warmup = ["--scheduler", "warmuplr", "--scheduler_conf", "warmup_steps=6"]
    history = train(options, tmp_path / "b", *warmup, "--max_epoch", "1", "--log_interval", "1")
    # Three steps of 8 among 24: lr x 6^.5 x step x 6^-1.5 = lr x step / 6 at steps 2, 3, 4 of the schedule's count.
    assert 0 < history["1"]["train"]["lr_heads"] < 0.005


@pytest.mark.parametrize(
    "more",
    [
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


def test_diverging_training_is_one_line(options: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lower the learning rate"):
        train(options, tmp_path / "exp", "--optim", "sgd", "--optim_conf", "lr=1.0e+30", "--max_epoch", "3")


# Nothing that is loaded runs


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("kind", ["pipe", "pickle", "init_param", "checkpoint", "tasks", "stats"])
def test_no_input_runs_code(options: list[str], tmp_path: Path, kind: str) -> None:
    marker, out, folder = tmp_path / "marker", tmp_path / "exp", tmp_path / "dump"
    make_dump(folder, 9, 0, "tr")
    more = []
    if kind == "pipe":
        (folder / "feats.scp").write_text(f"tr0-000 touch {marker} |\n")
        more = ["--train_dir", str(folder)]
    if kind == "pickle":
        (folder / "feats.ark").write_bytes(b"tr0-000 PKL" + pickle.dumps(Payload(marker)))
        (folder / "feats.scp").write_text(f"tr0-000 {folder}/feats.ark:8\n")
        more = ["--train_dir", str(folder)]
    if kind == "init_param":
        torch.save({"a": Payload(marker)}, tmp_path / "x.pth")
        more = ["--init_param", f"{tmp_path}/x.pth:encoder:encoder"]
    if kind == "checkpoint":
        out.mkdir()
        torch.save({"model": Payload(marker)}, out / "checkpoint.pth")
    if kind == "tasks":
        (tmp_path / "tasks.yaml").write_text(f"tasks: !!python/object/apply:os.system ['touch {marker}']\n")
        more = ["--task_config", str(tmp_path / "tasks.yaml")]
    if kind == "stats":
        np.savez(tmp_path / "s.npz", count=np.array(Payload(marker), dtype=object), sum=0, sum_square=0)
        more = ["--feature_stats", str(tmp_path / "s.npz")]
    marker.unlink(missing_ok=True)
    with pytest.raises(UserError):
        MTLTask.main(cmd=[*options, "--output_dir", str(out), *more])
    assert not marker.exists()


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
