"""What the trainer costs over a bare loop: the same model and batches, with at least 56 statistics a step.

Three loops take turns within one run: the bare one (forward, backward, clip, step, clear), train_epoch with its log,
and ESPnet's Trainer.train_one_epoch with its reporter. The difference of two loops of the same round is the cost.
"""

import contextlib
import logging
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from espnet2.train.distributed_utils import DistributedOption
from espnet2.train.reporter import SubReporter
from espnet2.train.trainer import Trainer
from table import print_rows

from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.tasks.mtl import MTLTask
from espnet2_ext.train.mtl_trainer import MTLTrainer, MTLTrainerOptions
from espnet2_ext.train.optimise import parameter_groups
from espnet2_ext.train.run_state import RunState
from espnet2_ext.train.train_epoch import IntervalLog, train_epoch

N_TASKS = 13
BATCH, FRAMES, BINS = 8, 8, 8
STEPS, ROUNDS = 200, 8
GRAD_CLIP = 5.0
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def rows() -> list[tuple[str, str]]:
    """Return (what, figure) pairs."""
    torch.set_num_threads(1)  # the model is too small to share
    batches = _batches()
    with quiet():
        model = _model()
        ours = our_loop(model, _optimizer(model), batches)
        loops = {"bare": _bare_loop(batches), "ours": ours, "espnet": _espnet_loop(batches)}
        for loop in loops.values():
            loop()
        seconds: dict[str, list[float]] = {name: [] for name in loops}
        for _ in range(ROUNDS):
            for name, loop in loops.items():
                start = time.perf_counter()
                loop()
                seconds[name].append((time.perf_counter() - start) / STEPS)
    bare = statistics.median(seconds["bare"])
    cost = {
        name: statistics.median(a - b for a, b in zip(seconds[name], seconds["bare"], strict=True))
        for name in ("ours", "espnet")
    }
    n_stats = len(_model()(**batches.batch)[1]) + 3
    return [
        (f"bare step of a tiny model on {DEVICE}, {N_TASKS} tasks, {n_stats} statistics", f"{1e3 * bare:.2f} ms"),
        ("train_epoch with its log, over the bare loop", f"{1e3 * cost['ours']:+.2f} ms a step (limit 0.3 ms)"),
        ("ESPnet's trainer and reporter, over the bare loop", f"{1e3 * cost['espnet']:+.2f} ms a step"),
    ]


def _model() -> ESPnetMTLModel:
    """Build a one-block CNN with 12 small regressions and one classification, weighted by DRUW."""
    torch.manual_seed(0)
    tasks = [{"name": f"t{i}", "type": "regression", "dimensions": ["a"], "loss": "mse"} for i in range(N_TASKS - 1)]
    tasks.append({"name": "c", "type": "classification", "classes": ["x", "y"]})
    config = {
        "task_spec": {"tasks": tasks}, "input_size": BINS, "encoder": "multi_exit_cnn",
        "encoder_conf": {"channels": [4]}, "normalize": None, "normalize_conf": {}, "weighting": "druw",
        "weighting_conf": {}, "head_conf": {}, "channels_last": False, "compile_encoder": False,
    }  # fmt: skip
    return build_model(config).to(DEVICE)


class Batches:
    """The same batch at every step, as a DataLoader gives it; ESPnet adds a key to the dictionary."""

    def __init__(self, batch: dict[str, torch.Tensor], steps: int) -> None:
        self.batch, self.steps = batch, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[list[str], dict[str, torch.Tensor]]]:
        for _ in range(self.steps):
            yield [], dict(self.batch)


def _batches() -> Batches:
    batch = {"feats": torch.randn(BATCH, FRAMES, BINS)}
    batch |= {f"t{i}": torch.rand(BATCH, 1) for i in range(N_TASKS - 1)}
    batch["c"] = torch.randint(0, 2, (BATCH,))
    return Batches({name: value.to(DEVICE) for name, value in batch.items()}, STEPS)


def _optimizer(model: ESPnetMTLModel) -> torch.optim.Optimizer:
    groups = parameter_groups(model.named_parameters(), None, None, None)
    return torch.optim.AdamW(groups, lr=1e-4, fused=True)


def _options(*words: str) -> MTLTrainerOptions:
    common = ["--grad_clip", str(GRAD_CLIP), "--ngpu", str(int(DEVICE == "cuda"))]
    return MTLTrainer.build_options(MTLTask.get_parser().parse_args([*common, *words]))


def _bare_loop(batches: Batches) -> Callable[[], None]:
    model = _model().train()
    optimizer = _optimizer(model)

    def loop() -> None:
        for _, batch in batches:
            loss, _, _ = model(**batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), GRAD_CLIP)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        finish()

    return loop


def our_loop(
    model: ESPnetMTLModel, optimizer: torch.optim.Optimizer, batches: Batches, *words: str
) -> Callable[[], None]:
    """Return a loop over the batches by train_epoch with its log; `words` are options of the training."""
    state, options = RunState(model, [optimizer], [None], None, None, [], [1]), _options(*words)

    def loop() -> None:
        train_epoch(model, batches, state, options, IntervalLog(SubReporter("train", 1, 0), None))
        finish()

    return loop


def _espnet_loop(batches: Batches) -> Callable[[], None]:
    model, options = _model(), _options()
    optimizer = _optimizer(model)

    def loop() -> None:
        Trainer.train_one_epoch(
            model, batches, [optimizer], [None], None, SubReporter("train", 1, 0), None, options, DistributedOption()
        )
        finish()

    return loop


def finish() -> None:
    """Wait for the device."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


@contextlib.contextmanager
def quiet() -> contextlib.AbstractContextManager[None]:
    """Lines are made as in a training, and go nowhere."""
    logger = logging.getLogger()
    level, handlers = logger.level, logger.handlers
    logger.setLevel(logging.INFO)
    logger.handlers = [logging.NullHandler()]
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.handlers = handlers


if __name__ == "__main__":
    print_rows(rows())
