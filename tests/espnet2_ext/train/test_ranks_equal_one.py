"""Steps on two ranks equal steps on one rank with the same global batch."""

import dataclasses
import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from espnet2.train.reporter import SubReporter
from ranks import run_ranks
from tiny_dump import TASKS
from wave_dump import make_wave_dump

from espnet2_ext.data.augment import build_augmentations
from espnet2_ext.data.augmented_dataset import AugmentedDataset
from espnet2_ext.data.crop import Crop
from espnet2_ext.data.dataset import MTLDataset
from espnet2_ext.data.sampler import EpochBatchSampler
from espnet2_ext.data.twins_dataset import TwinsDataset
from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.task_spec import task_spec_from_dict
from espnet2_ext.mtl.twins_options import build_twins
from espnet2_ext.mtl.weighting import WEIGHTINGS
from espnet2_ext.train.mtl_trainer import MTLTrainer
from espnet2_ext.train.optimise import parameter_groups
from espnet2_ext.train.run_state import RunState
from espnet2_ext.train.train_epoch import IntervalLog, train_epoch

SPEC = {
    "tasks": [
        {"name": "emotion", "type": "regression", "dimensions": ["a", "b", "c"], "activation": "sigmoid", "exit": 2},
        {"name": "age", "type": "regression", "dimensions": ["years"], "loss": "l1", "metric": "mae", "exit": 1},
        {"name": "country", "type": "classification", "classes": ["x", "y", "z"], "exit": 1},
    ]
}
# One task leaves at a fixed exit, the others mix both.
LEARNT = {"tasks": [task | ({} if task["name"] == "age" else {"exit": "learnt"}) for task in SPEC["tasks"]]}
CONF = {
    "static": {"weights": {"emotion": 1.0, "age": 0.2, "country": 0.5}},
    "ruwl": {},
}


@dataclasses.dataclass
class Options:
    device: str = "cpu"
    ngpu: int = 0
    accum_grad: int = 1
    log_interval: int = 100
    grad_clip: float = 0.5
    grad_clip_type: float = 2.0
    unused_parameters: bool = False
    gradient_as_bucket_view: bool = True

    def autocast(self) -> torch.autocast:
        return torch.autocast("cpu", enabled=False)


AUGMENT = [{"name": "speed"}, {"name": "noise"}, {"name": "mixup", "probability": 0.7}, {"name": "spec_augment"}]


# A projector of two layers has a batch normalisation of its own.
TWINS = {"projector": [8, 6], "spec_augment": {"max_time_frames": 6, "max_freq_bins": 4}}
DUMPED = ("augmented", "twins", "twins augmented")


class Steps(list):
    """A list of batches as a DataLoader gives them."""


def make_steps(labels: str, epoch: int) -> list[dict[str, torch.Tensor]]:
    """Three global batches of 8; labels: all, some missing, or all of one task missing in the second half."""
    generator = torch.Generator().manual_seed(epoch)
    steps = []
    for _ in range(3):
        batch = {
            "feats": torch.randn(8, 24, 12, generator=generator),
            "emotion": torch.rand(8, 3, generator=generator),
            "age": 20 + 10 * torch.rand(8, 1, generator=generator),
            "country": torch.randint(0, 3, (8,), generator=generator),
        }
        if labels.endswith(("some", "chain")):
            batch["emotion"][torch.rand(8, 3, generator=generator) < 0.4] = math.nan
            batch["country"][torch.rand(8, generator=generator) < 0.4] = -1
        if labels.endswith("one rank without"):
            batch["age"][1::2] = math.nan
            batch["country"][1::2] = -1
        if labels == "task without":
            batch["age"][:] = math.nan
        steps.append(batch)
    return steps


def rank_steps(labels: str, epoch: int, rank: int, world_size: int, dump: Path) -> list[dict[str, torch.Tensor]]:
    """This rank's part of the global batches: every world_size-th row."""
    if labels in DUMPED:
        spec, crop = task_spec_from_dict(TASKS), Crop(frames=24)
        augmentations = build_augmentations(AUGMENT if "augmented" in labels else [])
        dataset = (
            AugmentedDataset(dump, spec, crop, augmentations)
            if augmentations.in_order
            else MTLDataset(dump, spec, crop, train=True)
        )
        if "twins" in labels:
            dataset = TwinsDataset(dataset, build_twins(TWINS).spec_augment)
        sampler = EpochBatchSampler(len(dataset), 8, 0, rank, world_size)
        sampler.epoch = epoch
        return [dataset.__getitems__(items)[1] for items in sampler]
    return [{name: value[rank::world_size] for name, value in batch.items()} for batch in make_steps(labels, epoch)]


def train(
    rank: int, world_size: int, dump: Path, weighting: str, labels: str, norm: str, accum_grad: int
) -> dict[str, torch.Tensor]:
    """Two epochs of three steps; the state after them, and the mean losses."""
    torch.manual_seed(0)
    config = {
        "task_spec": TASKS if labels in DUMPED else LEARNT if "learnt" in labels else SPEC, "input_size": 12,
        "encoder": "multi_exit_cnn", "encoder_conf": {"channels": [8, 8], "norm": norm}, "normalize": None,
        "normalize_conf": {}, "weighting": weighting, "weighting_conf": CONF.get(weighting, {}), "head_conf": {},
        "channels_last": True, "compile_encoder": False,
    } | ({"twins": True, "twins_conf": TWINS} if "twins" in labels else {})  # fmt: skip
    if labels == "chain":
        config |= {"heads": "chain", "head_conf": {"dimension_chain": ["emotion"], "hidden_size": 6, "norm": "batch"}}
    if labels.startswith("dimensions"):
        step = "iteration" if weighting == "equal" else "epoch"
        config |= {"dimension_weighting": "druw", "dimension_weighting_conf": {"step": step}}
    model = build_model(config).double()
    groups = parameter_groups(model.named_parameters(), None, 0.05, 0.05)
    optimizer = torch.optim.AdamW(groups, lr=0.01)
    state = RunState(model, [optimizer], [None], None, None, [], [1])
    options = Options(accum_grad=accum_grad)
    wrapped = MTLTrainer.wrap(model, options, world_size > 1)
    means = {}
    for epoch in (1, 2, 3):
        steps = Steps(
            ([], {name: value.double() if value.is_floating_point() else value for name, value in batch.items()})
            for batch in rank_steps(labels, epoch, rank, world_size, dump)
        )
        log = IntervalLog(SubReporter("train", epoch, 0), None)
        means = train_epoch(wrapped, steps, state, options, log)
    result = {name: value.double().clone() for name, value in model.state_dict().items()}
    return result | {f"mean {k}": torch.tensor(v).double() for k, v in means.items()}


def train_all(rank: int, world_size: int, cases: list[Any], dump: Path) -> list[dict[str, torch.Tensor]]:
    logging.disable(logging.INFO)
    return [train(rank, world_size, dump, *case) for case in cases]


CASES = [
    *((name, "some", "group", 1) for name in WEIGHTINGS),
    *((name, "one rank without", "group", 1) for name in WEIGHTINGS),
    ("druw", "task without", "group", 1),
    ("druw", "all", "batch", 1),
    ("equal", "some", "batch", 1),
    ("druw", "some", "group", 2),
    ("druw", "learnt some", "group", 1),
    ("equal", "learnt one rank without", "batch", 2),
    ("druw", "augmented", "group", 1),
    ("equal", "augmented", "batch", 1),
    ("druw", "chain", "batch", 1),
    ("druw", "dimensions some", "group", 1),
    ("equal", "dimensions one rank without", "group", 2),
    ("ruwl", "twins", "group", 1),
    ("druw", "twins", "batch", 2),
    ("ruwl", "twins augmented", "batch", 1),
]


@pytest.fixture(scope="module")
def results(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[dict[str, torch.Tensor]], list[list[dict[str, torch.Tensor]]]]:
    # Eleven utterances, some labels missing: the last batch of eight is filled up.
    dump = tmp_path_factory.mktemp("waves") / "dump"
    make_wave_dump(dump, 11, 0, "tr", {"name": "log_mel", "n_mels": 12})
    return train_all(0, 1, CASES, dump), run_ranks(train_all, 2, CASES, dump)


@pytest.mark.parametrize("case", range(len(CASES)), ids=[" ".join(map(str, case)) for case in CASES])
def test_two_ranks_equal_one(results: Any, case: int) -> None:
    one, (first, second) = results[0][case], [rank[case] for rank in results[1]]
    for name, expected in one.items():
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0, equal_nan=True, msg=f"ranks: {name}")
        torch.testing.assert_close(first[name], expected, rtol=1e-5, atol=1e-9, equal_nan=True, msg=name)


def test_the_cases_train(results: Any) -> None:
    """The comparison means something: parameters have moved, and differently for different weightings."""
    by_case = dict(zip(CASES, results[0], strict=True))
    weight = "heads.emotion.layers.1.weight"
    equal = by_case["equal", "some", "group", 1][weight]
    for name in set(WEIGHTINGS) - {"equal"}:
        assert not torch.allclose(by_case[name, "some", "group", 1][weight], equal, atol=1e-6), name
    learnt = by_case["druw", "learnt some", "group", 1]
    for task in ("emotion", "country"):
        assert learnt[f"exits.{task}.logit"].abs().min() > 1e-3  # they start at 0
    assert "exits.age.logit" not in learnt
    inner = by_case["druw", "dimensions some", "group", 1]
    alphas = [inner[f"dimension_weighting.weightings.emotion.log_alpha2.emotion_{d}"].abs() for d in "abc"]
    assert min(alphas) > 1e-3  # they start at 0
