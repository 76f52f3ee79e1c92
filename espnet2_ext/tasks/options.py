"""Checks of the training options, before anything is built.

argparse checks the command line only: of a configuration file it converts what is text, and takes all else as it is.
"""

import argparse
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from espnet2.utils.types import float_or_none, int_or_none, str2bool

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.metric.corpus import CLASSIFICATION_METRICS, REGRESSION_METRICS
from espnet2_ext.mtl.task_spec import TaskSpec
from espnet2_ext.mtl.weighting.dimension_weighting import has_dimensions
from espnet2_ext.train import checkpoint

# ESPnet's options that this task has no use for; giving one is an error, not a silence.
REFUSED = (
    "collect_stats", "write_collected_feats", "train_data_path_and_name_and_type", "valid_data_path_and_name_and_type",
    "train_shape_file", "valid_shape_file", "iterator_type", "valid_iterator_type", "multiple_iterator", "sharded_ddp",
    "use_deepspeed", "deepspeed_config", "use_adapter", "adapter", "adapter_conf", "save_strategy", "grad_noise",
    "no_forward_run", "create_graph_in_tensorboard", "num_iters_per_epoch", "shuffle_within_batch", "drop_last_iter",
    "exclude_weight_decay", "exclude_weight_decay_conf", "nbest_averaging_interval", "ddp_comm_hook", "use_lora",
    "batch_bins", "batch_type", "fold_length", "sort_in_batch", "sort_batch", "valid_batch_type", "valid_batch_bins",
    "wandb_model_log_interval", "num_att_plot", "use_matplotlib", "category_sample_size", "upsampling_factor",
    "category_upsampling_factor", "dataset_upsampling_factor", "dataset_scaling_factor", "max_batch_size",
    "min_batch_size", "chunk_length", "chunk_shift_ratio", "num_cache_chunks", "chunk_excluded_key_prefixes",
    "chunk_default_fs", "chunk_max_abs_length", "chunk_discard_short_samples", "multi_task_dataset",
    "allow_variable_data_keys", "max_cache_size", "max_cache_fd", "valid_max_cache_size", "allow_multi_rates",
)  # fmt: skip
_REQUIRED = ("task_config", "train_dir", "valid_dir")
# Schedulers whose rates are absolute: they set those of all groups alike.
SAME_RATES = (
    "cycliclr", "onecyclelr", "cosineannealingwarmuprestarts", "exponentialdecaywarmup", "piecewiselinearwarmuplr",
)  # fmt: skip
_POSITIVE = ("max_epoch", "batch_size", "valid_batch_size", "accum_grad", "grad_clip", "log_interval")
_TYPES = {int: int, int_or_none: int, float: (int, float), float_or_none: (int, float), str2bool: bool}


def yaml_value(text: str) -> Any:
    """Read an option's value on the command line as yaml.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no yaml") from error


def refuse_command_line(message: str) -> NoReturn:
    """Take argparse's complaint, which would come with a hundred lines of usage.

    Raises:
        UserError: Always.
    """
    raise UserError(f"{message}; see --help")


def check_options(args: argparse.Namespace, parser: argparse.ArgumentParser, defaults: Mapping[str, Any]) -> None:
    """Refuse missing options, values of another type, and ESPnet's options that would do nothing here.

    Args:
        args: The options, of the command line and of the configuration file.
        parser: Their declarations.
        defaults: Values of the refused options that stand for not given.

    Raises:
        UserError: One is missing, refused or impossible.
    """
    for name in _REQUIRED:
        if getattr(args, name) is None:
            raise UserError(f"--{name} is required")
    for name, default in defaults.items():
        if hasattr(args, name) and getattr(args, name) != default:
            raise UserError(f"--{name} is not for the multi-task task; see its --help for what is")
    for action in parser._actions:
        _check_type(action, getattr(args, action.dest, None))
    _check_numbers(args)
    _check_rates(args)
    _check_alone(args)
    if args.use_wandb and importlib.util.find_spec("wandb") is None:
        raise UserError("--use_wandb true: wandb is not installed; run `pip install wandb` in the environment")
    for source in args.init_param:
        # ESPnet would unpickle anything; what weights only can read is the same either way.
        checkpoint.load(Path(str(source).split(":")[0]))


def _check_numbers(args: argparse.Namespace) -> None:
    for name in _POSITIVE:
        value = getattr(args, name)
        if value is not None and not value > 0:
            raise UserError(f"--{name} {value}: give a number above 0")
    if args.patience is not None and args.patience < 0:
        raise UserError(f"--patience {args.patience}: give a number from 0")
    kept = args.keep_nbest_models
    if not all(isinstance(n, int) and n > 0 for n in ([kept] if isinstance(kept, int) else kept)):
        raise UserError(f"--keep_nbest_models {kept}: give numbers above 0")


def _check_alone(args: argparse.Namespace) -> None:
    """Refuse streams beside what changes or doubles the features."""
    if args.streams and (args.augment or args.twins):
        raise UserError(f"streams {', '.join(args.streams)}: they cannot follow augment or twins; leave those out")


def _check_rates(args: argparse.Namespace) -> None:
    """Refuse rates of groups that the scheduler would overwrite with one rate for all."""
    for name in ("encoder_lr", "weighting_lr", "exit_lr"):
        value = getattr(args, name)
        if value is not None and args.scheduler in SAME_RATES:
            raise UserError(
                f"--{name} {value}: the scheduler {args.scheduler} gives all groups one rate; take another scheduler "
                "or leave it out"
            )


def check_soft_labels(args: argparse.Namespace, spec: TaskSpec) -> None:
    """Refuse soft labels of what is no classification.

    Raises:
        UserError: A task is unknown or a regression; with --tasks, one that is left out may be named.
    """
    if not isinstance(args.soft_labels, list):
        raise UserError(f"--soft_labels {args.soft_labels}: give a list of tasks")
    known = [task.name for task in spec if task.is_classification]
    for name in args.soft_labels:
        if name not in known and not (args.tasks and name not in spec.names):
            raise UserError(f"--soft_labels {name}: choose among the classifications {', '.join(known) or '(none)'}")


def check_dimension_weighting(args: argparse.Namespace, spec: TaskSpec) -> None:
    """Refuse a weighting of dimensions that would do nothing.

    Raises:
        UserError: There are options without a weighting; a task is unknown or has one dimension; with --tasks, one that
            is left out may be named. Or the training is one of twins.
    """
    chosen = args.dimension_weighting_tasks
    if not isinstance(chosen, list):
        raise UserError(f"--dimension_weighting_tasks {chosen}: give a list of tasks")
    if args.dimension_weighting is None:
        if chosen or args.dimension_weighting_conf:
            raise UserError("dimension_weighting_conf and dimension_weighting_tasks: name a dimension_weighting too")
        return
    if args.twins:
        raise UserError("--dimension_weighting does not go with --twins, whose weighting is of views; leave one out")
    known = [task.name for task in spec if has_dimensions(task)]
    for name in chosen:
        if name not in known and not (args.tasks and name not in spec.names):
            raise UserError(
                f"--dimension_weighting_tasks {name}: choose among tasks of several dimensions: "
                f"{', '.join(known) or '(none)'}"
            )
    if not known and not args.tasks:
        raise UserError("--dimension_weighting: no task has several dimensions; leave it out")


def check_criteria(args: argparse.Namespace, spec: TaskSpec) -> None:
    """Refuse criteria that no epoch will report: ESPnet would delete all models but the last.

    Raises:
        UserError: A name is unknown, or is the weighted sum of losses; a mode is neither min nor max.
    """
    known = ["score", spec.score.name, *(f"loss_{name}" for name in spec.names)]
    for task in spec:
        metrics = CLASSIFICATION_METRICS if task.is_classification else REGRESSION_METRICS
        known += [f"{task.name}_{metric}" for metric in metrics]
    for criterion in (*args.best_model_criterion, args.early_stopping_criterion):
        _check_criterion(criterion, known, ("min", "max"))
    _check_criterion(args.val_scheduler_criterion, known, None)


def _check_criterion(criterion: Sequence[str], known: Sequence[str], modes: tuple[str, ...] | None) -> None:
    fields = criterion.split(",") if isinstance(criterion, str) else list(criterion)
    wanted = "phase,name" + (",mode" if modes else "")
    text = ",".join(map(str, fields))
    if isinstance(criterion, str) or len(fields) != (3 if modes else 2):
        raise UserError(f"criterion {text}: give [{wanted}]")
    if fields[0] != "valid" or fields[1] not in known:
        raise UserError(f"criterion {text}: phase is valid and the name one of {', '.join(known)}")
    if modes and fields[2] not in modes:
        raise UserError(f"criterion {text}: the mode is {' or '.join(modes)}")


def _check_type(action: argparse.Action, value: Any) -> None:
    # One value only: neither lists nor what is appended to one.
    if value is None or action.nargs is not None or value == action.default:
        return
    if action.choices is not None and value not in action.choices:
        raise UserError(f"--{action.dest} {value}: choose among {', '.join(map(str, action.choices))}")
    wanted = _TYPES.get(action.type)
    if wanted is None:
        return
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise UserError(f"--{action.dest} {value!r}: not of type {action.type.__name__.removesuffix('_or_none')}")
