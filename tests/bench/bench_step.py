"""A training step of the multi-exit CNN, plain, with channels last, and with an allocator that keeps its pages.

Batch 32 x 64 bins x 250 frames with half the paper's channels (32 to 512, a quarter of the arithmetic), so that the
table takes a minute on two cores. Settings take turns within one run; the share is of the measured speed of a large
matrix product. `--compile` adds torch.compile, whose first step takes minutes on a CPU.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from espnet2_ext.mtl.encoder import MultiExitCNN

CHANNELS, EXITS = (32, 64, 128, 256, 512), (1, 3, 5)
BATCH, FRAMES, BINS = 32, 250, 64
ROUNDS, MATRIX = 3, 2048
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# glibc gives large blocks back to the system and asks for them again, page by page, at every step.
KEEP_PAGES = {"MALLOC_TRIM_THRESHOLD_": str(1 << 33), "MALLOC_MMAP_THRESHOLD_": str(1 << 33)}
LAYOUTS = ("plain", "channels_last")


def rows(compiled: bool = False) -> list[tuple[str, str]]:
    """Return (what, figure) pairs."""
    layouts = (*LAYOUTS, "compiled") if compiled else LAYOUTS
    allocators = {"": {}} if DEVICE == "cuda" else {"": {}, ", pages kept": KEEP_PAGES}
    workers = {name: _Worker(env) for name, env in allocators.items()}
    jobs = [(layout, name) for layout in layouts for name in workers]
    best = dict.fromkeys(jobs, float("inf"))
    peak = 0.0
    for turn in range(ROUNDS + 1):
        for layout, name in jobs:
            seconds = workers[name].ask(layout)
            if turn > 0:  # the first takes buffers, and compiles
                best[layout, name] = min(best[layout, name], seconds)
        peak = max(peak, 2 * MATRIX**3 / workers[""].ask("matrix"))
    flop = workers[""].ask("flop")
    for worker in workers.values():
        worker.close()
    plain = best["plain", ""]
    table = [
        (
            f"matrix product {MATRIX} x {MATRIX} on {DEVICE}, {torch.get_num_threads()} threads",
            f"{peak / 1e9:.0f} GFLOP/s",
        ),
        (f"step of channels {CHANNELS[0]} to {CHANNELS[-1]}, exits {EXITS}", f"{flop / 1e9:.0f} GFLOP"),
    ]
    return table + [
        (
            f"{layout}{name}",
            f"{1e3 * best[layout, name]:.0f} ms, {plain / best[layout, name]:.2f}x as fast as plain, "
            f"{flop / best[layout, name] / peak:.2f} of the matrix product",
        )
        for layout, name in jobs
    ]


class _Worker:
    """A process with its own allocator settings that measures when asked."""

    def __init__(self, env: dict[str, str]) -> None:
        root = Path(__file__).resolve().parents[2]
        # path.sh sets them for trainings; here each worker has its own.
        inherited = {name: value for name, value in os.environ.items() if name not in KEEP_PAGES}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=inherited | env | {"PYTHONPATH": str(root)},
        )

    def ask(self, what: str) -> float:
        """Return the answer to one word."""
        print(what, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def _work() -> None:
    """Answer the words on standard input with seconds, or with the number of operations of a step."""
    steps: dict[str, Callable[[], None]] = {}
    for line in sys.stdin:
        what = line.strip()
        if what == "flop":
            with FlopCounterMode(display=False) as counter:
                steps["plain"]()
            print(counter.get_total_flops(), flush=True)
            continue
        if what not in steps:
            steps[what] = _matrix_product() if what == "matrix" else _step(what)
        print(_seconds(steps[what]), flush=True)


def _step(layout: str) -> Callable[[], None]:
    """Forward, backward and AdamW over a task at each exit."""
    torch.manual_seed(0)
    model = MultiExitCNN(BINS, EXITS, CHANNELS).to(DEVICE)
    if layout != "plain":
        model.to(memory_format=torch.channels_last)
    if layout == "compiled":
        model.compile()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    feats = torch.randn(BATCH, FRAMES, BINS, device=DEVICE)

    def step() -> None:
        sum(embedding.mean() for embedding in model(feats).values()).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def _matrix_product() -> Callable[[], None]:
    a, b = torch.randn(2, MATRIX, MATRIX, device=DEVICE)
    out = torch.empty_like(a)

    def product() -> None:
        torch.mm(a, b, out=out)

    return product


def _seconds(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        _work()
        return
    print("| what | figure |\n| --- | --- |")
    for what, figure in rows(args.compile):
        print(f"| {what} | {figure} |")


if __name__ == "__main__":
    main()
