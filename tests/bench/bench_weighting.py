"""What weightings and losses cost: each against the sum of losses, and CCC over 53 dimensions against a loop.

All figures of a table are taken in turns within one run, so the ratios hold on a machine whose speed drifts.
"""

import time
from collections.abc import Callable

import torch

from espnet2_ext.mtl.encoder import MultiExitCNN
from espnet2_ext.mtl.loss import ccc_loss
from espnet2_ext.mtl.task import Task
from espnet2_ext.mtl.task_losses import DimensionLosses, loss_stats, mean_losses
from espnet2_ext.mtl.weighting import WEIGHTINGS, AbsWeighting, build_weighting
from espnet2_ext.mtl.weighting.dimension_weighting import DimensionWeighting, build_dimension_weighting
from espnet2_ext.train.step_stats import StepStats

BATCH, EMBEDDING, HIDDEN = 32, 512, 128
N_MELS, N_FRAMES = 64, 250
TASK_COUNTS = (3, 53)
DIMENSIONS = (2, 10, 40)
ROUNDS, REPEATS = 15, 10
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def rows() -> list[tuple[str, str]]:
    """Return (what, figure) pairs."""
    cnn_seconds = _cnn_step_seconds()
    torch.set_num_threads(1)  # what follows is too small to share
    table = [(f"step of the default CNN, batch {BATCH}", f"{1e3 * cnn_seconds:.0f} ms")]
    for n_tasks in TASK_COUNTS:
        table += _weighting_rows(n_tasks, cnn_seconds)
    return table + _level_rows() + _ccc_rows(53)


def _weighting_rows(n_tasks: int, cnn_seconds: float) -> list[tuple[str, str]]:
    tasks = [f"task{i}" for i in range(n_tasks)]
    weightings = {name: _build(name, tasks) for name in WEIGHTINGS}
    weightings |= {
        f"{name}, by iteration": build_weighting(name, tasks, step="iteration").to(DEVICE) for name in ("dwa", "druw")
    }
    losses = {task: torch.rand((), device=DEVICE, requires_grad=True) for task in tasks}
    present = torch.ones(n_tasks, dtype=torch.bool, device=DEVICE)
    alone = _interleaved({name: _combine(weighting, losses, present) for name, weighting in weightings.items()})
    steps = _interleaved({name: _head_step(weighting, tasks) for name, weighting in weightings.items()})
    return [
        (
            f"{name}, {n_tasks} losses",
            f"{1e3 * alone[name]:.2f} ms, {100 * alone[name] / cnn_seconds:.3f} % of the CNN's step; "
            f"step of a small head {steps[name] / steps['equal']:.2f}x of equal ({1e3 * steps[name]:.2f} ms)",
        )
        for name in weightings
    ]


def _level_rows() -> list[tuple[str, str]]:
    """Weighting inside the tasks too: a step of a small head, with all statistics that are logged of it."""
    tasks = [
        Task(f"task{size}", "regression", dimensions=tuple(f"d{i}" for i in range(size))) for size in (1, *DIMENSIONS)
    ]
    names = [task.name for task in tasks]
    steps = {"no weighting of dimensions": _level_step(tasks, _build("equal", names), None)}
    for name in ("equal", "dwa", "druw"):
        inner = build_dimension_weighting(tasks, name, {}, (), _build(name, names))
        steps[f"{name} of dimensions"] = _level_step(tasks, _build(name, names), inner.to(DEVICE))
    seconds = _interleaved(steps)
    first = next(iter(seconds.values()))
    return [
        (f"{name}, 1 + 2 + 10 + 40 losses", f"step of a small head {value / first:.2f}x ({1e3 * value:.2f} ms)")
        for name, value in seconds.items()
    ]


def _level_step(tasks: list[Task], outer: AbsWeighting, inner: DimensionWeighting | None) -> Callable[[], None]:
    size = sum(len(task.dimensions) for task in tasks)
    head = torch.nn.Sequential(torch.nn.Linear(EMBEDDING, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, size)).to(
        DEVICE
    )
    embeddings, target = torch.randn(BATCH, EMBEDDING, device=DEVICE), torch.rand(BATCH, size, device=DEVICE)
    labelled = {task.name: torch.ones(len(task.dimensions), dtype=torch.bool, device=DEVICE) for task in tasks}
    stats = StepStats(DEVICE)

    def step() -> None:
        parts = ccc_loss(head(embeddings), target).split([len(task.dimensions) for task in tasks])
        by_dimension = {
            task.name: DimensionLosses(part, labelled[task.name]) for task, part in zip(tasks, parts, strict=True)
        }
        losses, present = mean_losses(by_dimension)
        combined, values = (losses, {}) if inner is None else inner(losses, by_dimension)
        total, weights = outer(combined, present, losses)
        total.backward()
        stats.add({**loss_stats(losses, weights, present), **values, **outer.stats()})

    return step


def _ccc_rows(n_dimensions: int) -> list[tuple[str, str]]:
    pred = torch.rand(BATCH, n_dimensions, device=DEVICE, requires_grad=True)
    target = torch.rand(BATCH, n_dimensions, device=DEVICE)
    mask = torch.rand(BATCH, n_dimensions, device=DEVICE) < 0.9

    def vectorised() -> None:
        ccc_loss(pred, target, mask).sum().backward()

    def looped() -> None:
        columns = [slice(i, i + 1) for i in range(n_dimensions)]
        torch.cat([ccc_loss(pred[:, c], target[:, c], mask[:, c]) for c in columns]).sum().backward()

    seconds = _interleaved({"vectorised": vectorised, "looped": looped})
    ratio = seconds["looped"] / seconds["vectorised"]
    return [
        (
            f"CCC over {n_dimensions} dimensions",
            f"{1e3 * seconds['vectorised']:.2f} ms; a loop takes {ratio:.1f}x ({1e3 * seconds['looped']:.2f} ms)",
        )
    ]


def _cnn_step_seconds() -> float:
    """Return the seconds of forward and backward of the multi-exit CNN with a task at exits 1, 3 and 5."""
    cnn = MultiExitCNN(N_MELS, (1, 3, 5)).to(DEVICE, memory_format=torch.channels_last)
    feats = torch.randn(BATCH, N_FRAMES, N_MELS, device=DEVICE)

    def step() -> None:
        sum(embedding.sum() for embedding in cnn(feats).values()).backward()

    step()
    return min(_seconds(step) for _ in range(2))


def _build(name: str, tasks: list[str]) -> AbsWeighting:
    conf = {"weights": dict.fromkeys(tasks, 0.5)} if name == "static" else {}
    return build_weighting(name, tasks, **conf).to(DEVICE)


def _combine(weighting: AbsWeighting, losses: dict[str, torch.Tensor], present: torch.Tensor) -> Callable[[], None]:
    return lambda: weighting(losses, present)[0].backward()


def _head_step(weighting: AbsWeighting, tasks: list[str]) -> Callable[[], None]:
    """Return forward, losses, weighting and backward of a small head on fixed embeddings."""
    head = torch.nn.Sequential(
        torch.nn.Linear(EMBEDDING, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, len(tasks))
    ).to(DEVICE)
    embeddings, target = torch.randn(BATCH, EMBEDDING, device=DEVICE), torch.rand(BATCH, len(tasks), device=DEVICE)
    present = torch.ones(len(tasks), dtype=torch.bool, device=DEVICE)

    def step() -> None:
        losses = dict(zip(tasks, ccc_loss(head(embeddings), target).unbind(), strict=True))
        weighting(losses, present)[0].backward()

    return step


def _interleaved(functions: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Return the least seconds per call of each function, measured in turns: other jobs can only add to it."""
    samples: dict[str, list[float]] = {name: [] for name in functions}
    for warming_up in [True] * 2 + [False] * ROUNDS:
        for name, function in functions.items():
            seconds = _seconds(function, REPEATS)
            if not warming_up:
                samples[name].append(seconds)
    return {name: min(values) for name, values in samples.items()}


def _seconds(function: Callable[[], None], repeats: int = 1) -> float:
    """Return the mean seconds per call."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(repeats):
        function()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / repeats


def main() -> None:
    """Print the table."""
    print(f"device: {DEVICE}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    for what, figure in rows():
        print(f"{what:38s} {figure}")


if __name__ == "__main__":
    main()
