"""What training steps draw differs between ranks and epochs, and comes again after a restart."""

import types
from pathlib import Path
from typing import Any

import pytest
import torch
from ranks import run_ranks

from espnet2_ext.train import mtl_trainer
from espnet2_ext.train.mtl_trainer import MTLTrainer


class DrawnError(Exception):
    """The first epoch has begun."""


def dropout_mask(rank: int, world_size: int, folder: Path, seed: int) -> torch.Tensor:
    """Of the first training step, as a dropout layer sees it inside MTLTrainer.run."""
    drawn = []

    def first_step(model: torch.nn.Module, *_: Any) -> None:
        drawn.append(torch.nn.functional.dropout(torch.ones(64)))
        raise DrawnError

    options = types.SimpleNamespace(
        device="cpu", ngpu=0, use_amp=False, amp_dtype="bfloat16", output_dir=folder, best_model_criterion=[],
        keep_nbest_models=1, resume=False, use_tensorboard=False, max_epoch=1, patience=None, seed=seed,
        unused_parameters=False, gradient_as_bucket_view=True, log_interval=None,
    )  # fmt: skip
    factory = types.SimpleNamespace(build_iter=lambda _: [])
    placing = types.SimpleNamespace(distributed=world_size > 1, dist_rank=rank if world_size > 1 else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mtl_trainer, "train_epoch", first_step)
        with pytest.raises(DrawnError):
            MTLTrainer.run(torch.nn.Linear(2, 2), [], [], factory, factory, None, options, placing)
    return drawn[0]


def test_ranks_draw_masks_of_their_own(tmp_path: Path) -> None:
    first, second = run_ranks(dropout_mask, 2, tmp_path, 3)
    assert 16 < (first != second).sum() < 48  # as two independent masks: 32 in the mean, deviation 4
    torch.testing.assert_close(dropout_mask(0, 1, tmp_path, 3), first, rtol=0, atol=0)
    torch.manual_seed(3 + 1)  # ESPnet's, seed and epoch
    torch.testing.assert_close(torch.nn.functional.dropout(torch.ones(64)), first, rtol=0, atol=0)


def test_draws_follow_from_seed_epoch_and_rank() -> None:
    found = {}
    for place in [(seed, epoch, rank) for seed in (0, 1) for epoch in (1, 2) for rank in (1, 2)]:
        draws = []
        for _ in range(2):
            mtl_trainer.seed_epoch(*place)
            draws.append(torch.rand(4).tolist())
        assert draws[0] == draws[1]
        found[tuple(draws[0])] = place
    assert len(found) == 8
