"""Weightings with options that make sense, for tests that run over all of them."""

from typing import Any

import torch

from espnet2_ext.mtl.weighting import AbsWeighting, build_weighting

TASK_SETS = [("emotion",), ("emotion", "country", "age"), ("type", "two", "high", "culture", "age")]
# One entry per weighting and option; static gets its weights by `build`.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "equal": ("equal", {}),
    "static": ("static", {}),
    "uw": ("uw", {}),
    "uw-released": ("uw", {"form": "released"}),
    "ruw": ("ruw", {}),
    "ruw-printed": ("ruw", {"regulariser": "printed", "initial_alpha": 1.2}),
    "rruw": ("rruw", {}),
    "rruw-alpha": ("rruw", {"restraint": "alpha", "form": "released", "restraint_coefficient": 0.5}),
    "dwa": ("dwa", {}),
    "dwa-iteration": ("dwa", {"step": "iteration", "temperature": 2.0}),
    "druw": ("druw", {}),
    "druw-iteration": ("druw", {"step": "iteration", "regulariser": "printed", "initial_alpha": 1.5, "phi": 2.0}),
    "druw-quarter": ("druw", {"balance": 0.25}),
    "druw-scheduled": ("druw", {"balance": {"kind": "scheduled", "start": 0.9, "end": 0.2, "epochs": 4}}),
    # Both halves are alike where all alphas are 1, and the balance then has nothing to learn.
    "druw-learnt": ("druw", {"balance": {"kind": "learnt"}, "initial_alpha": 0.7}),
    "softmax": ("softmax", {}),
    "ruwl": ("ruwl", {}),
}
LEARNT = [case for case, (name, _) in CASES.items() if name not in ("equal", "static", "dwa")]


def build(case: str, tasks: tuple[str, ...], **more: Any) -> AbsWeighting:
    """Build a case for these tasks; a task's static weight depends on its name only."""
    name, conf = CASES[case]
    if name == "static":
        conf = {"weights": {task: 0.5 + len(task) / 10 for task in tasks}}
    return build_weighting(name, tasks, **{**conf, **more})


def make_losses(tasks: tuple[str, ...], step: int = 0) -> dict[str, torch.Tensor]:
    """Return losses in (0.2, 3) that depend on the task's name and the step only."""
    values = {}
    for task in tasks:
        generator = torch.Generator().manual_seed(sum(map(ord, task)) + 1000 * step)
        values[task] = (0.2 + 2.8 * torch.rand((), generator=generator)).requires_grad_()
    return values
