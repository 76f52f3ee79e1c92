"""Training on waves and pictures on two ranks takes the steps of one rank with the same global batch, dropout off."""

import types
from typing import Any

import pytest
import torch
from av_dump import HOP, SIZE, SMALL, TASKS
from ranks import run_ranks

from espnet2_ext.mtl.build import build_model
from espnet2_ext.train.mtl_trainer import MTLTrainer
from espnet2_ext.train.optimise import parameter_groups

# With batch normalisation each rank has some picture; with groups the second one has none.
CASES = {"batch": [2, 4, 0, 1, 3, 4, 4, 0], "group": [2, 0, 4, 0, 3, 0, 1, 0]}


def make_batch(step: int, lengths: list[int]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    return {
        "feats": torch.randn(8, 4 * HOP, 1, generator=generator).double(),
        "feats_lengths": torch.randint(HOP, 4 * HOP, (8,), generator=generator),
        "video": torch.randint(0, 256, (8, 4, 3 * SIZE**2), generator=generator, dtype=torch.uint8),
        "video_lengths": torch.tensor(lengths),
        "emotion": torch.randint(0, 3, (8,), generator=generator),
        "gender": torch.randint(-1, 2, (8,), generator=generator),
    }


def train(rank: int, world_size: int, norm: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    config = {
        "task_spec": TASKS, "input_size": 1, "encoder": "audio_visual",
        "encoder_conf": SMALL | {"face_conf": SMALL["face_conf"] | {"norm": norm}, "dropout": 0.0},
        "normalize": None, "normalize_conf": {},
        "weighting": "softmax", "weighting_conf": {}, "head_conf": {}, "channels_last": True, "compile_encoder": False,
    }  # fmt: skip
    model = build_model(config).double()
    optimizer = torch.optim.SGD(parameter_groups(model.named_parameters(), None, 0.05, None), lr=0.01)
    options = types.SimpleNamespace(ngpu=0, unused_parameters=False, gradient_as_bucket_view=True)
    wrapped = MTLTrainer.wrap(model, options, world_size > 1).train()
    for step in range(3):
        batch = make_batch(step, CASES[norm])
        loss, _, _ = wrapped(**{name: value[rank::world_size] for name, value in batch.items()})
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return {name: value.clone() for name, value in model.state_dict().items()}


def train_all(rank: int, world_size: int) -> list[dict[str, torch.Tensor]]:
    return [train(rank, world_size, norm) for norm in CASES]


@pytest.fixture(scope="module")
def results() -> Any:
    torch.set_num_threads(1)
    return train_all(0, 1), run_ranks(train_all, 2)


@pytest.mark.parametrize("case", range(len(CASES)), ids=list(CASES))
def test_two_ranks_equal_one(results: Any, case: int) -> None:
    one, ranks = results[0][case], [rank[case] for rank in results[1]]
    start = {name: value for name, value in one.items() if name.endswith("logit")}
    assert all(value.abs().max() > 1e-4 for value in start.values())  # the weights of the tasks have moved
    for name, expected in one.items():
        for found in ranks:
            torch.testing.assert_close(
                found[name], expected, rtol=1e-6, atol=1e-8, msg=lambda text, n=name: f"{n}: {text}"
            )
