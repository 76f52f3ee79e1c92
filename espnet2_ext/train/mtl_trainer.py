"""Trainer: ESPnet's options, reporter and files, with whole-set validation and exact restart."""

import argparse
import dataclasses
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from espnet2.schedulers.abs_scheduler import AbsEpochStepScheduler, AbsValEpochStepScheduler
from espnet2.torch_utils.set_all_random_seed import set_all_random_seed
from espnet2.train.trainer import Trainer, TrainerOptions

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.train.environment import write_environment
from espnet2_ext.train.evaluate import evaluate_model
from espnet2_ext.train.run_state import RunState
from espnet2_ext.train.sync_batch_norm import synchronise_batch_norm
from espnet2_ext.train.train_epoch import IntervalLog, train_epoch


@dataclasses.dataclass
class MTLTrainerOptions(TrainerOptions):
    """ESPnet's options and ours.

    Attributes:
        amp_dtype: `bfloat16` or `float16`, for use_amp.
    """

    amp_dtype: str = "bfloat16"

    @property
    def device(self) -> str:
        """`cuda` or `cpu`."""
        return "cuda" if self.ngpu > 0 else "cpu"

    def autocast(self) -> torch.autocast:
        """Mixed precision, where it is on."""
        return torch.autocast(self.device, getattr(torch, self.amp_dtype), enabled=self.use_amp)


class MTLTrainer(Trainer):
    """Trains a multi-task model.

    Other than ESPnet's trainer it validates on the whole set with exact metrics, hands the weighting the epoch's mean
    unweighted losses, keeps statistics on the device, leaves the weighting out of the network's clipping budget, writes
    files atomically and loads them with weights only. A rest of batches smaller than `accum_grad` makes a step of its
    own, so nothing carries over between epochs.
    """

    @classmethod
    def build_options(cls, args: argparse.Namespace) -> MTLTrainerOptions:
        """Build the options from the command line."""
        names = [field.name for field in dataclasses.fields(MTLTrainerOptions)]
        return MTLTrainerOptions(**{name: getattr(args, name) for name in names})

    @classmethod
    def run(
        cls,
        model: ESPnetMTLModel,
        optimizers: Sequence[torch.optim.Optimizer],
        schedulers: Sequence[Any],
        train_iter_factory: Any,
        valid_iter_factory: Any,
        plot_attention_iter_factory: Any,
        trainer_options: MTLTrainerOptions,
        distributed_option: Any,
    ) -> None:
        """Train until max_epoch or until the criterion stops gaining; go on from a checkpoint where there is one."""
        del plot_attention_iter_factory
        options = trainer_options
        scaler = torch.amp.GradScaler(options.device) if options.use_amp and options.amp_dtype == "float16" else None
        keep = options.keep_nbest_models
        state = RunState(
            model, optimizers, schedulers, scaler, Path(options.output_dir), options.best_model_criterion,
            [keep] if isinstance(keep, int) else keep or [1],
        )  # fmt: skip
        main = not distributed_option.distributed or distributed_option.dist_rank == 0
        if options.resume:
            state.resume()
        wrapped = cls.wrap(model, options, distributed_option.distributed)
        writers = cls.open_writers(options) if main and options.use_tensorboard else (None, None)
        first = state.reporter.get_epoch() + 1
        for epoch in range(first, options.max_epoch + 1):
            if cls.stops_early(state, options):
                break
            if main and epoch == first:
                # Here, so that a finished training that is run again stays described by what it was made with.
                count = sum(p.numel() for p in model.parameters())
                write_environment(state.directory / "env.yaml", n_parameters=count)
            started = time.perf_counter()
            seed_epoch(options.seed, epoch, distributed_option.dist_rank or 0)
            state.reporter.set_epoch(epoch)
            with state.reporter.observe("train") as sub:
                log = IntervalLog(sub, writers[0])
                means = train_epoch(wrapped, train_iter_factory.build_iter(epoch), state, options, log)
            if means["skipped"] == 1.0:
                raise UserError(f"epoch {epoch}: no step had a finite gradient; lower the learning rate")
            with state.reporter.observe("valid") as sub:
                valid = valid_iter_factory.build_iter(epoch)
                sub.register(evaluate_model(model, valid, options.device, options.autocast()))
                sub.next()
            cls.step_schedulers(state, options)
            if main:
                cls.report(state, writers, options)
                state.save()
                cls.log_epoch(state, options, time.perf_counter() - started)
        if main:
            state.average_best()

    @classmethod
    def wrap(cls, model: ESPnetMTLModel, options: MTLTrainerOptions, distributed: bool) -> torch.nn.Module:
        """Make the model distributed: synchronised batch normalisation and averaged gradients."""
        if not distributed:
            return model
        gpu = options.ngpu > 0
        synchronise_batch_norm(model, gpu)
        return torch.nn.parallel.DistributedDataParallel(
            model,
            device_ids=[torch.cuda.current_device()] if gpu else None,
            # All ranks' buffers are equal by construction: synchronised statistics, weights from global losses.
            broadcast_buffers=False,
            find_unused_parameters=options.unused_parameters,
            gradient_as_bucket_view=options.gradient_as_bucket_view,
        )

    @classmethod
    def open_writers(cls, options: MTLTrainerOptions) -> tuple[Any, Any]:
        """TensorBoard writers of the phases train and valid."""
        from torch.utils.tensorboard import SummaryWriter

        folder = Path(options.output_dir) / "tensorboard"
        return SummaryWriter(str(folder / "train")), SummaryWriter(str(folder / "valid"))

    @classmethod
    def stops_early(cls, state: RunState, options: MTLTrainerOptions) -> bool:
        """Whether the criterion has not gained for more than `patience` epochs."""
        epoch = state.reporter.get_epoch()
        if options.patience is None or epoch == 0:
            return False
        best = state.reporter.best_epochs(*options.early_stopping_criterion)[0]
        if epoch - best <= options.patience:
            return False
        logging.info(f"early stopping after epoch {epoch}: best was epoch {best}")
        return True

    @classmethod
    def log_epoch(cls, state: RunState, options: MTLTrainerOptions, seconds: float) -> None:
        """One line for people who watch: the tasks' metrics and the score."""
        epoch, spec = state.reporter.get_epoch(), state.model.spec
        valid = state.reporter.stats[epoch]["valid"]
        metrics = [f"{task.name} {task.metric} {valid[f'{task.name}_{task.metric}']:.3f}" for task in spec]
        score = f"{spec.score.name} {valid['score']:.4f}"
        logging.info(f"epoch {epoch} of {options.max_epoch}: {score}, {', '.join(metrics)}, {seconds:.1f} s")

    @classmethod
    def step_schedulers(cls, state: RunState, options: MTLTrainerOptions) -> None:
        """Step the schedulers that go by epochs."""
        for scheduler in state.schedulers:
            if isinstance(scheduler, AbsValEpochStepScheduler):
                scheduler.step(state.reporter.get_value(*options.val_scheduler_criterion))
            elif isinstance(scheduler, AbsEpochStepScheduler):
                scheduler.step()

    @classmethod
    def report(cls, state: RunState, writers: tuple[Any, Any], options: MTLTrainerOptions) -> None:
        """Report the epoch to the log, TensorBoard and W&B."""
        reporter = state.reporter
        logging.info(reporter.log_message())
        for phase, writer in zip(("train", "valid"), writers, strict=True):
            if writer is not None:
                reporter.tensorboard_add_scalar(writer, key1=phase)
                writer.flush()
        if options.use_wandb:
            reporter.wandb_log()


def seed_epoch(seed: int, epoch: int, rank: int) -> None:
    """Seed what is drawn in training steps, such as dropout: by seed, epoch and rank alone.

    The first rank has ESPnet's seed of the epoch. ESPnet gives it to all; rows of different ranks would then be masked
    alike, where those of one rank are not.
    """
    other = int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1)[0])
    set_all_random_seed(seed + epoch if rank == 0 else other)
