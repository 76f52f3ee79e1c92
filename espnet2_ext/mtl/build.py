"""Build a model from a configuration, and load a trained one; free of the training side's imports."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import ENCODERS
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.exit import build_pooling
from espnet2_ext.mtl.normalize import NORMALIZERS
from espnet2_ext.mtl.task_spec import Task, TaskSpec, task_spec_from_dict
from espnet2_ext.mtl.twins_model import TwinsMTLModel
from espnet2_ext.mtl.twins_options import TwinsOptions, build_twins
from espnet2_ext.mtl.weighting import AbsWeighting, build_weighting
from espnet2_ext.mtl.weighting.dimension_weighting import DimensionWeighting, build_dimension_weighting
from espnet2_ext.train.checkpoint import load, load_state

# What a configuration must have for its model to be built.
_KEYS = (
    "task_spec", "input_size", "encoder", "encoder_conf", "normalize", "normalize_conf", "weighting", "weighting_conf",
    "head_conf", "channels_last",
)  # fmt: skip


def build_model(
    config: Mapping[str, Any], task_stats: Mapping[str, Any] | None = None, feature_stats: str | Path | None = None
) -> ESPnetMTLModel:
    """Build the model.

    Args:
        config: The training configuration: task_spec, input_size, encoder, encoder_conf, normalize, normalize_conf,
            weighting, weighting_conf, head_conf, channels_last, compile_encoder; heads where they are not parallel;
            exit_conf where it has options; twins and twins_conf where the training is one of twins;
            dimension_weighting, dimension_weighting_conf and dimension_weighting_tasks where dimensions are weighted.
        task_stats: By task: `mean` and `std` (regression) or `counts` by class, of the training set. None where
            weights will be loaded, which carry what follows from them.
        feature_stats: `feats_stats.npz`; None likewise.

    Raises:
        UserError: A name or an option is unknown or impossible.
    """
    spec = task_spec_from_dict(config["task_spec"])
    resolved = TaskSpec(tuple(_resolve_class_weights(task, task_stats) for task in spec), spec.score)
    pooling = build_pooling(config.get("exit_conf"))
    exits = pooling.encoder_exits(spec.tasks)
    encoder_conf = dict(config["encoder_conf"])
    encoder = _build("encoder", ENCODERS, config["encoder"], config["input_size"], exits, **encoder_conf)
    normalize = None
    if config["normalize"] is not None:
        conf = dict(config["normalize_conf"])
        if config["normalize"] == "global_mvn":
            conf["stats_file"] = feature_stats
        normalize = _build("normalize", NORMALIZERS, config["normalize"], config["input_size"], **conf)
    twins = twins_of(config)
    names = spec.names if twins is None else twins.loss_names(spec.names)
    weighting = checked("weighting_conf", build_weighting, config["weighting"], names, **config["weighting_conf"])
    dimension_weighting = _dimension_weighting(config, resolved, weighting)
    build = ESPnetMTLModel if twins is None else partial(TwinsMTLModel, twins=twins)
    model = checked(
        "head_conf", build, resolved, encoder, weighting, normalize, heads=config.get("heads", "parallel"),
        head_conf=dict(config["head_conf"]), pooling=pooling, dimension_weighting=dimension_weighting,
        channels_last=config["channels_last"], compile_encoder=config["compile_encoder"],
    )  # fmt: skip
    for task in spec:
        if task.normalise and task_stats is not None:
            model.heads[task.name].target_mean.copy_(torch.tensor(task_stats[task.name]["mean"]))
            model.heads[task.name].target_std.copy_(torch.tensor(task_stats[task.name]["std"]))
    return model


def twins_of(config: Mapping[str, Any]) -> TwinsOptions | None:
    """Return the options of twins, None where a configuration (an older one, too) has none.

    Raises:
        UserError: An option is unknown or impossible, or would do nothing.
    """
    if config.get("twins"):
        return build_twins(config.get("twins_conf"))
    if config.get("twins_conf"):
        raise UserError("twins_conf does nothing without twins; set twins: true, or leave it out")
    return None


def _dimension_weighting(
    config: Mapping[str, Any], spec: TaskSpec, weighting: AbsWeighting
) -> DimensionWeighting | None:
    """Build the weighting across dimensions, None where a configuration (an older one, too) has none."""
    if config.get("dimension_weighting") is None:
        return None
    conf, chosen = config.get("dimension_weighting_conf") or {}, config.get("dimension_weighting_tasks") or []
    name = config["dimension_weighting"]
    return checked(
        "dimension_weighting_conf", build_dimension_weighting, spec.tasks, name, conf, chosen, outer=weighting
    )


def load_trained(
    config_file: str | Path, model_file: str | Path, device: str = "cpu"
) -> tuple[ESPnetMTLModel, dict[str, Any]]:
    """Load a trained model: weights only, strictly.

    Returns:
        The model in evaluation mode, and its configuration.

    Raises:
        UserError: A file is missing or torn, or the weights do not fit the configuration.
    """
    config = load_config(config_file)
    model = build_model({**config, "compile_encoder": False})
    if not Path(model_file).exists():
        raise UserError(f"{model_file}: no such model; run stage 6")
    load_state(model, load(Path(model_file)), model_file)
    return model.to(device).eval(), config


def load_config(path: str | Path) -> dict[str, Any]:
    """Read `config.yaml` of an experiment.

    Raises:
        UserError: It is missing, or is not the configuration of a multi-task model.
    """
    try:
        config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        remedy = "name an experiment that stage 6 has trained, or a pack"
        raise UserError(f"{path}: cannot be read: no such file; {remedy}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    missing = [key for key in _KEYS if key not in config] if isinstance(config, dict) else ["task_spec"]
    if missing or not config["task_spec"]:
        raise UserError(f"{path}: not the configuration of a multi-task model (no {(missing or ['task_spec'])[0]})")
    return config


def checked(what: str, build: Callable[..., Any], /, *args: Any, **conf: Any) -> Any:
    """Call a constructor; wrong options become a UserError that names `what`."""
    try:
        return build(*args, **conf)
    except (TypeError, ValueError, RuntimeError) as error:
        # RuntimeError: torch's, for a negative size.
        raise UserError(f"{what}: {' '.join(str(error).split())}") from error


def _build(what: str, classes: Mapping[str, type], name: str, /, *args: Any, **conf: Any) -> torch.nn.Module:
    if name not in classes:
        raise UserError(f"--{what} {name}: choose among {', '.join(classes)}")
    known = list(inspect.signature(classes[name]).parameters)[len(args) :]
    unknown = [str(option) for option in conf if option not in known]
    if unknown:
        raise UserError(f"{what}_conf: {name} has no option {unknown[0]}; its options are {', '.join(known)}")
    return checked(f"{what}_conf", classes[name], *args, **conf)


def _resolve_class_weights(task: Task, stats: Mapping[str, Any] | None) -> Task:
    """`class_weights: balanced` is n / (C n_c), as in scikit-learn; a class without a training label gets weight 1."""
    given = task.loss_conf.get("class_weights")
    if isinstance(given, list) and len(given) != len(task.classes):
        raise UserError(f"task {task.name!r}: {len(given)} class_weights for {len(task.classes)} classes (tasks.yaml)")
    if given != "balanced":
        return task
    weights = [1.0] * len(task.classes)
    if stats is not None:
        counts = [stats[task.name]["counts"][name] for name in task.classes]
        weights = [sum(counts) / (len(counts) * count) if count else 1.0 for count in counts]
    return dataclasses.replace(task, loss_conf={**task.loss_conf, "class_weights": weights})
