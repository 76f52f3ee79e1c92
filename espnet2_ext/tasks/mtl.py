"""The ESPnet2 task: command line, and wiring of the parts. Nothing else."""

import argparse
import logging
import os
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from espnet2.tasks.abs_task import AbsTask, optim_classes
from espnet2.train.class_choices import ClassChoices
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import float_or_none, int_or_none, str2bool, str_or_none

from espnet2_ext.data.augment import build_augmentations
from espnet2_ext.data.augmented_dataset import AugmentedDataset
from espnet2_ext.data.check_tasks import load_task_stats
from espnet2_ext.data.crop import Crop
from espnet2_ext.data.dataset import MTLDataset, keep_batch
from espnet2_ext.data.sampler import EpochBatchSampler, SequentialBatchSampler
from espnet2_ext.data.streams import parse_streams
from espnet2_ext.data.twins_dataset import TwinsDataset
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.build import build_model, checked, twins_of
from espnet2_ext.mtl.encoder import ENCODERS, AbsEncoder
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.gather import is_distributed
from espnet2_ext.mtl.head import HEADS
from espnet2_ext.mtl.normalize import NORMALIZERS
from espnet2_ext.mtl.streams import check_streams
from espnet2_ext.mtl.task_spec import TaskSpec, load_task_spec, task_spec_from_dict
from espnet2_ext.mtl.weighting import WEIGHTINGS, AbsWeighting
from espnet2_ext.tasks.options import (
    REFUSED,
    check_criteria,
    check_dimension_weighting,
    check_options,
    check_soft_labels,
    refuse_command_line,
    yaml_value,
)
from espnet2_ext.tasks.plateau import check_plateau
from espnet2_ext.tasks.pretrained import check_pretrained, take_pretrained
from espnet2_ext.train.iter_factory import MTLIterFactory
from espnet2_ext.train.mtl_trainer import MTLTrainer
from espnet2_ext.train.optimise import parameter_groups

encoder_choices = ClassChoices("encoder", ENCODERS, type_check=AbsEncoder, default="multi_exit_cnn")
normalize_choices = ClassChoices(
    "normalize", NORMALIZERS, type_check=torch.nn.Module, default="global_mvn", optional=True
)
weighting_choices = ClassChoices("weighting", WEIGHTINGS, type_check=AbsWeighting, default="equal")
dimension_choices = ClassChoices(
    "dimension_weighting", WEIGHTINGS, type_check=AbsWeighting, default=None, optional=True
)


class MTLTask(AbsTask):
    """Multi-task learning from dumped features and label files."""

    num_optimizers = 1
    class_choices_list = [encoder_choices, normalize_choices, weighting_choices, dimension_choices]
    trainer = MTLTrainer

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Declare the task's options and its defaults for ESPnet's."""
        group = parser.add_argument_group(description="Task related")
        add = group.add_argument
        add("--task_config", type=str_or_none, default=None, help="tasks.yaml (required)")
        add("--tasks", type=str, nargs="*", default=[], help="train these tasks only; none given: all of tasks.yaml")
        add(
            "--task_exits",
            action=NestedDictAction,
            default={},
            help="exits by task, numbers or learnt, before tasks.yaml's",
        )
        add("--soft_labels", type=str, nargs="*", default=[], help="classifications that learn from utt2<task>_soft")
        add("--task_spec", action=NestedDictAction, default={}, help="the resolved tasks, kept in config.yaml")
        add("--task_stats", type=str_or_none, default=None, help="task statistics of the training set (stage 4)")
        add("--feature_stats", type=str_or_none, default=None, help="feats_stats.npz of the training set (stage 5)")
        add("--train_dir", type=str_or_none, default=None, help="dump directory of the training set (required)")
        add("--valid_dir", type=str_or_none, default=None, help="dump directory of the validation set (required)")
        add("--input_size", type=int_or_none, default=None, help="width of the features; found in the arks")
        add("--crop_conf", action=NestedDictAction, default={}, help="frames, padding, evaluation, min_frames, align")
        add("--streams", action=NestedDictAction, default={}, help="further feature streams: hop by name")
        add("--augment", type=yaml_value, default=[], help="augmentations of training data, in order (yaml list)")
        add("--twins", type=str2bool, default=False, help="train on a clean and a masked view of each batch")
        add("--twins_conf", action=NestedDictAction, default={}, help="projector, off_diagonal_weight, spec_augment")
        add("--heads", choices=tuple(HEADS), default="parallel", help="side by side, or a chain")
        add("--head_conf", action=NestedDictAction, default={}, help="hidden_size, activation, ...; order of a chain")
        add("--exit_conf", action=NestedDictAction, default={}, help="pooling: mean, attention or branch; its options")
        add("--panns_weights", type=str_or_none, default=None, help="file of PANNs that cnn10 or cnn14 starts from")
        add("--image_weights", type=str_or_none, default=None, help="torchvision's weights that video starts from")
        add("--encoder_lr", type=float_or_none, default=None, help="learning rate of the encoder")
        add("--weighting_lr", type=float_or_none, default=None, help="learning rate of the loss weightings")
        add("--dimension_weighting_tasks", type=str, nargs="*", default=[], help="tasks whose dimensions are weighted")
        add("--exit_lr", type=float_or_none, default=None, help="learning rate of the shares of learnt exits")
        add("--channels_last", type=str2bool, default=True, help="channels-last memory format in convolutions")
        add("--compile_encoder", type=str2bool, default=False, help="torch.compile the encoder")
        add("--amp_dtype", choices=("bfloat16", "float16"), default="bfloat16", help="number format of --use_amp")
        for choices in cls.class_choices_list:
            choices.add_arguments(group)
        score = ("valid", "score", "max")
        parser.set_defaults(
            iterator_type="task", optim="adamw", num_workers=0, num_att_plot=0, resume=True, use_matplotlib=False,
            best_model_criterion=[score], early_stopping_criterion=score, val_scheduler_criterion=score[:2],
            multiprocessing_distributed=False,
        )  # fmt: skip
        cls._refused_defaults = {name: parser.get_default(name) for name in REFUSED}
        parser.usage, parser.allow_abbrev = "%(prog)s --config FILE [--option value ...]", False
        parser.error = refuse_command_line

    @classmethod
    def check_required_command_args(cls, args: argparse.Namespace) -> None:
        """Check what ESPnet uses before the model is built, in one line.

        Raises:
            UserError: --output_dir is missing, or --seed is negative.
        """
        if args.output_dir is None:
            raise UserError("--output_dir is required")
        if not isinstance(args.seed, int) or args.seed < 0:
            raise UserError(f"--seed {args.seed}: give a whole number from 0")

    @classmethod
    def build_collate_fn(cls, args: argparse.Namespace, train: bool) -> Callable:  # noqa: ARG003 (ESPnet's interface)
        """The data set makes whole batches."""
        return keep_batch

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool) -> None:  # noqa: ARG003
        """Features are ready."""
        return

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:  # noqa: ARG003
        """Inputs of the model; the targets are the tasks of tasks.yaml."""
        return ("feats",)

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:  # noqa: ARG003
        """Targets may be missing."""
        return ()

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ESPnetMTLModel:
        """Check the options and build the model for training; resolves task_spec and input_size in `args`."""
        check_options(args, cls.get_parser(), cls._refused_defaults)
        spec = cls.resolve_tasks(args)
        args.task_spec = spec.to_dict()
        build_augmentations(args.augment)
        check_soft_labels(args, spec)
        check_dimension_weighting(args, spec)
        check_criteria(args, spec)
        check_plateau(args, spec)
        if args.input_size is None:
            args.input_size = _dataset(args, "train").feature_size
        stats = load_task_stats(args.task_stats, spec) if args.task_stats is not None else None
        wanting = [t.name for t in spec if t.normalise or t.loss_conf.get("class_weights") == "balanced"]
        if wanting and stats is None:
            raise UserError(f"--task_stats is missing: task {wanting[0]!r} of tasks.yaml needs it; run stage 4")
        if args.normalize == "global_mvn" and args.feature_stats is None:
            raise UserError("--feature_stats is missing: --normalize global_mvn needs it; run stage 5")
        check_pretrained(args)
        model = build_model(vars(args), stats, args.feature_stats)
        check_streams(model.encoder, {name: options["hop"] for name, options in args.streams.items()})
        take_pretrained(args, model.encoder)
        return model

    @classmethod
    def resolve_tasks(cls, args: argparse.Namespace) -> TaskSpec:
        """Read tasks.yaml, keep --tasks, set --task_exits."""
        spec = load_task_spec(args.task_config)
        return (spec.subset(args.tasks) if args.tasks else spec).with_exits(
            {k: v for k, v in args.task_exits.items() if not args.tasks or k in args.tasks}
        )

    @classmethod
    def build_optimizers(cls, args: argparse.Namespace, model: ESPnetMTLModel) -> list[torch.optim.Optimizer]:
        """One optimiser with groups for the encoder, the heads, the weighting and the shares of learnt exits."""
        new = [f"encoder.{name}" for name in model.encoder.new_parameters]
        groups = parameter_groups(model.named_parameters(), args.encoder_lr, args.weighting_lr, args.exit_lr, new)
        optim_class, conf = optim_classes[args.optim], dict(args.optim_conf)
        if args.ngpu > 0 and optim_class in (torch.optim.Adam, torch.optim.AdamW):
            conf.setdefault("fused", True)
        return [checked("optim_conf", optim_class, groups, **conf)]

    @classmethod
    def build_iter_options(cls, args: argparse.Namespace, distributed_option: Any, mode: str) -> None:  # noqa: ARG003
        """ESPnet's iterator options are not used; see build_task_iter_factory."""
        return

    @classmethod
    def build_task_iter_factory(cls, args: argparse.Namespace, iter_options: None, mode: str) -> MTLIterFactory:  # noqa: ARG003
        """Batches of one fixed size, shuffled by utterance (train); every utterance once (valid)."""
        rank, ranks = (dist.get_rank(), dist.get_world_size()) if is_distributed() else (0, 1)
        dataset = _dataset(args, mode)
        if dataset.feature_size != args.input_size:
            raise UserError(f"{dataset.directory}: features have {dataset.feature_size} bins, not {args.input_size}")
        if mode == "train":
            sampler = EpochBatchSampler(len(dataset), args.batch_size, args.seed, rank, ranks)
        else:
            sampler = SequentialBatchSampler(len(dataset), args.valid_batch_size or args.batch_size, rank, ranks)
        lacks = "".join(f", {s.missing(dataset.utts)} of them without {s.name}" for s in dataset.streams)
        logging.info(f"[{mode}] {len(dataset)} utterances{lacks}, {len(sampler)} batches on each of {ranks} ranks")
        return MTLIterFactory(dataset, sampler, args.num_workers, pin_memory=args.ngpu > 0)


def _dataset(args: argparse.Namespace, mode: str) -> MTLDataset | TwinsDataset:
    spec = task_spec_from_dict(args.task_spec)
    crop = checked("crop_conf", Crop, **args.crop_conf)
    streams = parse_streams(args.streams, spec.names, crop)
    if mode != "train":
        return MTLDataset(args.valid_dir, spec, crop, train=False, streams=streams)
    augmentations, twins = build_augmentations(args.augment), twins_of(vars(args))
    # Single-task training leaves out the others'.
    soft = [name for name in args.soft_labels if name in spec.names]
    if augmentations.in_order:
        dataset = AugmentedDataset(args.train_dir, spec, crop, augmentations, soft)
    else:
        dataset = MTLDataset(args.train_dir, spec, crop, True, soft, streams)
    return dataset if twins is None else TwinsDataset(dataset, twins.spec_augment)


def set_launcher_options(args: list[str]) -> list[str]:
    """Under torchrun, add what ESPnet must be told: one process a device, and the backend."""
    if "LOCAL_RANK" not in os.environ:
        return args
    backend = "nccl" if torch.cuda.is_available() and _option(args, "--ngpu") not in (None, "0") else "gloo"
    return [*args, "--multiprocessing_distributed", "false", "--dist_backend", backend]


def _option(args: list[str], name: str) -> str | None:
    return args[args.index(name) + 1] if name in args[:-1] else None
