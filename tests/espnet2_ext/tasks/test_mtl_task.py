"""The task's command line, and the configurations that the recipes bring."""

import inspect
import io
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from espnet2.tasks.abs_task import optim_classes, scheduler_classes
from tiny_ssl import make_ssl

from espnet2_ext.bin.resolve_config import resolve_config
from espnet2_ext.data.augment import build_augmentations
from espnet2_ext.data.check_tasks import check_tasks, write_task_stats
from espnet2_ext.data.crop import Crop
from espnet2_ext.fileio.ark import ArkWriter
from espnet2_ext.fileio.table import write_table
from espnet2_ext.mtl.encoder import ENCODERS
from espnet2_ext.mtl.exit import build_pooling
from espnet2_ext.mtl.head import HEADS
from espnet2_ext.mtl.normalize import NORMALIZERS
from espnet2_ext.mtl.task_spec import TaskSpec, load_task_spec
from espnet2_ext.mtl.weighting import WEIGHTINGS
from espnet2_ext.tasks.mtl import MTLTask

ROOT = Path(__file__).parents[3]
CONFIGS = sorted(ROOT.glob("egs/*/*/conf/**/train*.yaml"))


def test_help(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        MTLTask.main(cmd=["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for name in (
        "task_config",
        "weighting",
        "weighting_conf",
        "encoder_lr",
        "crop_conf",
        "task_exits",
        "amp_dtype",
        "augment",
    ):
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


# Features of each kind: their width, and what stands beside them. Hidden states are of the layers that recipes store,
# four values each.
LAYERS = [2, 4, 6, 8, 10, 12]
KINDS: dict[str, tuple[int, dict[str, object] | None]] = {
    "log_mel": (64, None),
    "waves": (1, {"name": "raw"}),
    "hidden_states": (4 * len(LAYERS), {"name": "hidden_states", "model": "model", "layers": LAYERS}),
}
KIND_OF = dict.fromkeys(("ssl", "emo18", "audio_visual"), "waves") | {"hidden_states": "hidden_states"}


def dump_for(spec: TaskSpec, folder: Path, prefix: str, kind: str) -> Path:
    """A set of 40 utterances with labels of every task, in its range, every class among them; one has a picture."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    utts = [f"{prefix}{i:02d}" for i in range(40)]
    width, feature = KINDS[kind]
    with ArkWriter(folder / "feats.ark", folder / "feats.scp") as writer:
        for utt in utts:
            writer.write(utt, rng.normal(size=(80, width)))
    if feature is not None:
        (folder / "feature.yaml").write_text(yaml.safe_dump(feature))
    with ArkWriter(folder / "video.ark", folder / "video.scp", compression=6) as writer:
        writer.write(utts[0], np.zeros((1, 96 * 96 * 3), np.uint8))
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
        if task.is_classification:  # for configurations with soft labels
            shares = " ".join(["1"] + ["0"] * (task.n_outputs - 1))
            write_table(folder / f"utt2{task.name}_soft", dict.fromkeys(utts, shares))
    return folder


def recipe_of(config: Path) -> Path:
    """The recipe's folder: the one above conf/."""
    return next(parent.parent for parent in config.parents if parent.name == "conf")


@pytest.fixture(scope="module")
def recipe_options(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], list[str]]:
    made: dict[tuple[Path, str], list[str]] = {}

    def make(tasks: Path, kind: str) -> list[str]:
        if (tasks, kind) not in made:
            folder, spec = tmp_path_factory.mktemp("recipe"), load_task_spec(tasks)
            train_dir, valid_dir = (dump_for(spec, folder / name, name, kind) for name in ("train", "dev"))
            write_task_stats(check_tasks(spec, train_dir, [valid_dir]), folder / "task_stats.yaml")
            width = KINDS[kind][0]
            np.savez(folder / "feats_stats.npz", count=2, sum=np.zeros(width), sum_square=np.ones(width))
            made[tasks, kind] = [
                "--task_config", str(tasks), "--train_dir", str(train_dir), "--valid_dir", str(valid_dir),
                "--task_stats", f"{folder}/task_stats.yaml", "--feature_stats", f"{folder}/feats_stats.npz",
                "--use_tensorboard", "false",
            ]  # fmt: skip
        return made[tasks, kind]

    return make


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of as many layers as wav2vec2-base."""
    folder = tmp_path_factory.mktemp("pretrained")
    make_ssl(folder, num_hidden_layers=12)
    return folder


def test_there_are_configurations() -> None:
    assert CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=[str(p.relative_to(ROOT / "egs")) for p in CONFIGS])
def test_every_recipes_configuration_builds(
    path: Path, recipe_options: Callable, pretrained: Path, tmp_path: Path
) -> None:
    config = resolve_config(path)
    if "model" in config.get("encoder_conf", {}):
        config["encoder_conf"] = config["encoder_conf"] | {"model": str(pretrained)}
    tasks = recipe_of(path) / str(config.get("task_config", "conf/tasks.yaml"))
    if recipe_of(path).parent.name == "TEMPLATE":  # it has no corpus, so no tasks
        tasks = ROOT / "egs/mini_vb/mtl1/conf/tasks.yaml"
    config.pop("task_config", None)
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(config))
    more = ["--config", str(tmp_path / "train.yaml"), "--output_dir", str(tmp_path / "out"), "--dry_run", "true"]
    kind = KIND_OF.get(config.get("encoder"), "log_mel")
    MTLTask.main(cmd=[*recipe_options(tasks, kind), *more])
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
    build_augmentations(config.get("augment", []))
    heads = HEADS[config.get("heads", "parallel")]
    assert set(config.get("head_conf", {})) <= set(inspect.signature(heads).parameters)
    build_pooling(config.get("exit_conf"))
