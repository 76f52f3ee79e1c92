"""One epoch of training steps."""

import contextlib
import logging
import time
from collections.abc import Sized
from typing import Any

import torch
from espnet2.schedulers.abs_scheduler import AbsBatchStepScheduler
from espnet2.train.reporter import SubReporter

from espnet2_ext.train.optimise import clip_gradients, step_if_finite
from espnet2_ext.train.reporter import register_interval
from espnet2_ext.train.run_state import RunState
from espnet2_ext.train.step_stats import StepStats

LOG_INTERVAL = 100
# What a step that only accumulates gradients has no value for.
_UPDATE_STATS = ("grad_norm", "clip", "skipped")


class IntervalLog:
    """Hands the means of intervals to the reporter, the log and TensorBoard.

    Args:
        reporter: ESPnet's reporter of the phase.
        writer: TensorBoard's writer, or None.
    """

    def __init__(self, reporter: SubReporter, writer: Any) -> None:
        self.reporter, self.writer = reporter, writer

    def __call__(self, means: dict[str, tuple[float, float]], first: int, last: int) -> None:
        """Log the (mean, weight) by name of the steps `first` to `last`."""
        register_interval(self.reporter, means, last - first + 1)
        text = ", ".join(f"{name}={mean:.4g}" for name, (mean, _) in means.items())
        logging.info(f"{self.reporter.get_epoch()}epoch:train:{first}-{last}batch: {text}")
        if self.writer is not None:
            for name, (mean, _) in means.items():
                self.writer.add_scalar(f"step/{name}", mean, self.reporter.get_total_count())


def train_epoch(
    model: torch.nn.Module, iterator: Sized, state: RunState, options: Any, log: IntervalLog
) -> dict[str, float]:
    """Train one epoch and hand the weighting the epoch's mean unweighted losses.

    Args:
        model: The model, or its DistributedDataParallel.
        iterator: Batches; its length is the number of steps.
        state: Optimiser, scheduler and scaler.
        options: The trainer's options.
        log: Takes the means of every `log_interval` steps.

    Returns:
        Means over the epoch by name; `skipped` is the share of steps left out for a gradient that is not finite.
    """
    model.train()
    n_steps, accum, interval = len(iterator), options.accum_grad, options.log_interval or LOG_INTERVAL
    stats = StepStats(options.device)
    no_update = dict.fromkeys(_UPDATE_STATS, torch.full((), torch.nan, device=options.device))
    batches = iter(iterator)
    waited, start, logged = 0.0, time.perf_counter(), 0
    for step in range(1, n_steps + 1):
        asked = time.perf_counter()
        _, batch = next(batches)
        waited += time.perf_counter() - asked
        group_start = (step - 1) // accum * accum
        group = min(accum, n_steps - group_start)
        last_of_group = step - group_start == group
        values = _forward_backward(model, batch, group, last_of_group, state, options)
        stats.add(values | (_update(state, options) if last_of_group else no_update))
        if step % interval == 0 or step == n_steps:
            now, count = time.perf_counter(), step - logged
            means = stats.interval()
            means |= {"iter_time": (waited / count, count), "train_time": ((now - start) / count, count)}
            means |= {f"lr_{g['name']}": (g["lr"], count) for g in state.optimizers[0].param_groups}
            log(means, logged + 1, step)
            waited, start, logged = 0.0, now, step
    means = stats.epoch_means()
    weighting = state.model.weighting
    weighting.on_epoch_end({name: means[f"loss_{name}"] for name in weighting.task_names})
    if state.model.dimension_weighting is not None:
        state.model.dimension_weighting.on_epoch_end(means)
    state.model.heads.on_epoch_end()
    return means


def _forward_backward(
    model: torch.nn.Module, batch: dict[str, torch.Tensor], group: int, sync: bool, state: RunState, options: Any
) -> dict[str, torch.Tensor]:
    """Accumulate the gradient of one batch, a `group`-th of a step; gradients are averaged over ranks if `sync`."""
    batch = {name: value.to(options.device, non_blocking=True) for name, value in batch.items()}
    with contextlib.nullcontext() if sync or model is state.model else model.no_sync():
        with options.autocast():
            loss, values, _ = model(**batch)
        loss = loss / group
        (loss if state.scaler is None else state.scaler.scale(loss)).backward()
    return values


def _update(state: RunState, options: Any) -> dict[str, torch.Tensor]:
    """Clip, step, clear; return the step's statistics."""
    (optimizer,), (scheduler,) = state.optimizers, state.schedulers
    if state.scaler is not None:
        state.scaler.unscale_(optimizer)
    norm, finite = clip_gradients(optimizer, options.grad_clip, options.grad_clip_type)
    step_if_finite(optimizer, finite, state.scaler)
    if isinstance(scheduler, AbsBatchStepScheduler):
        scheduler.step()
    return dict(zip(_UPDATE_STATS, (norm, (norm > options.grad_clip).float(), (~finite).float()), strict=True))
