"""What a run keeps beside its checkpoint, and what a checkpoint takes of optimisers and schedulers."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from espnet2.tasks.abs_task import scheduler_classes

from espnet2_ext.tasks.options import SAME_RATES
from espnet2_ext.train import checkpoint
from espnet2_ext.train.run_state import RunState

ARGUMENTS: dict[str, dict[str, Any]] = {
    "steplr": {"step_size": 2},
    "multisteplr": {"milestones": [2, 5]},
    "exponentiallr": {"gamma": 0.9},
    "cosineannealinglr": {"T_max": 10},
    "cosineannealingwarmrestarts": {"T_0": 3},
    "cosineannealingwarmuprestarts": {"first_cycle_steps": 10, "max_lr": 0.1, "min_lr": 0.001, "warmup_steps": 2},
    "cycliclr": {"base_lr": 1e-4, "max_lr": 1e-2, "cycle_momentum": False},
    "exponentialdecaywarmup": {"max_lr": 0.1, "min_lr": 0.001, "total_steps": 20, "warmup_steps": 2},
    "onecyclelr": {"max_lr": 0.1, "total_steps": 20},
    "piecewiselinearwarmuplr": {"warmup_steps_list": [0, 4, 20], "warmup_lr_list": [0.0, 0.1, 0.05]},
    "tristagelr": {"max_steps": 20},
}
# lambdalr takes a function, which no configuration can give.
SCHEDULERS = sorted(set(scheduler_classes) - {"lambdalr"})


def make_state(directory: Path, scheduler: str | None = None, keep: int = 1) -> RunState:
    """A run of one layer, whose weight learns at a hundredth of its bias' rate."""
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    groups = [{"params": [model.weight], "lr": 1e-3, "name": "encoder"}, {"params": [model.bias], "name": "heads"}]
    optimizer = torch.optim.AdamW(groups, lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = scheduler_classes[scheduler](optimizer, **ARGUMENTS.get(scheduler, {})) if scheduler else None
    return RunState(model, [optimizer], [made], None, directory, [("valid", "score", "max")], [keep])


def end_epoch(state: RunState, score: float) -> None:
    """Enter the score of a further epoch and save."""
    state.reporter.set_epoch(state.reporter.get_epoch() + 1)
    with state.reporter.observe("valid") as sub:
        sub.register({"score": score})
        sub.next()
    state.save()


def take_steps(state: RunState, number: int) -> list[list[float]]:
    """Train; return the rates of the groups after each step."""
    rates = []
    for _ in range(number):
        state.model(torch.ones(3, 2)).square().sum().backward()
        state.optimizers[0].step()
        state.optimizers[0].zero_grad()
        plateau = isinstance(state.schedulers[0], torch.optim.lr_scheduler.ReduceLROnPlateau)
        state.schedulers[0].step(*([0.5] if plateau else []))
        rates.append([group["lr"] for group in state.optimizers[0].param_groups])
    return rates


@pytest.mark.parametrize(
    ("scores", "keep"),
    [([0.5, 0.4, 0.6], 1), ([0.5, 0.4, 0.3, 0.6], 1), ([0.5, 0.3, 0.4, 0.6], 2), ([0.1, 0.2, 0.3, 0.4], 2)],
)
def test_a_torn_checkpoint_finds_the_models_of_the_one_before(
    tmp_path: Path, scores: Sequence[float], keep: int
) -> None:
    """The last epoch pushes a model out of the best, which the run that starts one epoch before has among them."""
    state = make_state(tmp_path, keep=keep)
    for score in scores:
        end_epoch(state, score)
    (tmp_path / checkpoint.CURRENT).write_bytes(b"")
    resumed = make_state(tmp_path, keep=keep)
    resumed.resume()
    assert resumed.reporter.get_epoch() == len(scores) - 1
    resumed.average_best()
    best = sorted(range(1, len(scores)), key=lambda epoch: -scores[epoch - 1])
    assert (tmp_path / "valid.score.best.pth").resolve().name == f"{best[0]}epoch.pth"


def test_models_that_no_checkpoint_needs_are_removed(tmp_path: Path) -> None:
    state = make_state(tmp_path)
    for score, kept in ((0.5, [1]), (0.4, [1, 2]), (0.6, [1, 3]), (0.1, [3, 4]), (0.7, [3, 5])):
        end_epoch(state, score)
        assert sorted(path.name for path in tmp_path.glob("*epoch.pth")) == [f"{epoch}epoch.pth" for epoch in kept]
    state.average_best()
    assert [path.name for path in tmp_path.glob("*epoch.pth")] == ["5epoch.pth"]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_run_with_any_scheduler_goes_on(tmp_path: Path, name: str) -> None:
    state = make_state(tmp_path, name)
    take_steps(state, 3)
    end_epoch(state, 0.5)
    further = take_steps(state, 7)
    resumed = make_state(tmp_path, name)
    resumed.resume()
    assert take_steps(resumed, 7) == further
    for one, two in zip(state.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_which_schedulers_have_one_rate_for_all_groups(tmp_path: Path, name: str) -> None:
    """After warm-up: exponentialdecaywarmup scales the groups' own rates until then."""
    encoder, heads = take_steps(make_state(tmp_path, name), 5)[-1]
    assert heads == (encoder if name in SAME_RATES else pytest.approx(100 * encoder))
