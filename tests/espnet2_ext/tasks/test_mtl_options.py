"""What the task refuses, each in one line."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tiny_dump import make_dump
from train_tiny import complaint

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.ark import ArkWriter
from espnet2_ext.tasks.mtl import MTLTask
from espnet2_ext.tasks.options import REFUSED

ROOT = Path(__file__).parents[3]


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
        "use_tensorboard", "use_wandb", "wandb_project", "wandb_id", "wandb_entity", "wandb_name",
        "wandb_allow_val_change", "detect_anomaly",
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
        ({"soft_labels": ["nation"]}, "--soft_labels nation: choose among the classifications country"),
        ({"soft_labels": ["age"]}, "--soft_labels age: choose among the classifications country"),
        ({"soft_labels": "country"}, "--soft_labels country: give a list of tasks"),
        ({"soft_labels": ["country"]}, "utt2country_soft: no such file; soft labels of 'country' need it"),
        ({"optim": "adamww"}, "--optim adamww: choose among"),
        ({"scheduler": "plateau"}, "--scheduler plateau: choose among"),
        (
            {"encoder_lr": 1e-5, "scheduler": "onecyclelr", "scheduler_conf": {"max_lr": 0.1, "total_steps": 9}},
            "--encoder_lr 1e-05: the scheduler onecyclelr gives all groups one rate",
        ),
        ({"weighting_lr": 0.1, "scheduler": "piecewiselinearwarmuplr"}, "--weighting_lr 0.1: the scheduler piecewise"),
        (
            {"scheduler": "warmupreducelronplateau", "scheduler_conf": {"mode": "min"}},
            "scheduler_conf: mode min: score gains towards its max; set mode: max",
        ),
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
        ({"head_conf": {"width": 1}}, "heads parallel: no such option: width"),
        ({"crop_conf": {"frame": 20}}, "crop_conf: "),
        ({"crop_conf": {"frames": 20.5}}, "crop_conf: crop: frames is a whole number"),
        ({"augment": [{"name": "warp"}]}, "augment: no such augment: warp; use one of speed,"),
        ({"augment": {"name": "mixup"}}, "augment: give a list"),
        ({"augment": [{"name": "speed", "probability": 0.5}]}, "dump/train/feature.yaml: cannot be read"),
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
        (["--augment", "[{name: mixup]"], "argument --augment: '[{name: mixup]' is no yaml"),
        (["--augment", "mixup"], "augment: give a list such as [{name: spec_augment}], not 'mixup'"),
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
