"""Run a function on several gloo ranks of this machine."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def run_ranks(function: Callable[..., Any], world_size: int, *args: Any) -> list[Any]:
    """Return what `function(rank, world_size, *args)` returns on each rank."""
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(_worker, (function, world_size, folder, args), nprocs=world_size)
        return [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(world_size)]


def _worker(rank: int, function: Callable[..., Any], world_size: int, folder: str, args: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world_size)
    torch.save(function(rank, world_size, *args), Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()
