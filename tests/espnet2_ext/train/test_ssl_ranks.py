"""Fine-tuning on two ranks takes the steps of one rank with the same global batch, masks and dropout off."""

import types
from pathlib import Path
from typing import Any

import pytest
import torch
from ranks import run_ranks
from tiny_ssl import make_ssl

from espnet2_ext.mtl.build import build_model
from espnet2_ext.train.mtl_trainer import MTLTrainer
from espnet2_ext.train.optimise import parameter_groups

SPEC = {
    "tasks": [
        {"name": "emotion", "type": "regression", "dimensions": ["a", "b"], "activation": "sigmoid"},
        {"name": "country", "type": "classification", "classes": ["x", "y"]},
    ]
}
BRANCH = {"pooling": "branch", "layers": [0, 1, 3], "size": 8, "n_heads": 2, "dropout": 0}
# Normalisation of the model, options of the encoder, of the exits.
CASES = {
    "large, checkpointing": (True, {"freeze": "feature_extractor", "gradient_checkpointing": True}, {}),
    "base, sum of layers": (False, {"freeze": "none", "layer_sum": True}, {}),
    "large, branch": (True, {"freeze": 1}, BRANCH),
    "large, attention": (True, {"gradient_checkpointing": True}, {"pooling": "attention"}),
}


def make_batch(step: int) -> dict[str, torch.Tensor]:
    """Eight padded waves; some labels are missing."""
    generator = torch.Generator().manual_seed(step)
    batch = {
        "feats": torch.randn(8, 400, 1, generator=generator).double(),
        "feats_lengths": torch.randint(100, 400, (8,), generator=generator),
        "emotion": torch.rand(8, 2, generator=generator).double(),
        "country": torch.randint(0, 2, (8,), generator=generator),
    }
    batch["emotion"][step, 1] = torch.nan
    batch["country"][1::2] = -1
    return batch


def train(rank: int, world_size: int, folder: Path, case: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    large, conf, exit_conf = CASES[case]
    config = {
        "task_spec": SPEC, "input_size": 1, "encoder": "ssl",
        "encoder_conf": {"model": f"{folder}/{large}", "mask_time_prob": 0, "mask_feature_prob": 0, **conf},
        "normalize": None, "normalize_conf": {}, "weighting": "druw", "weighting_conf": {}, "head_conf": {},
        "exit_conf": exit_conf, "channels_last": True, "compile_encoder": False,
    }  # fmt: skip
    model = build_model(config).double()
    groups = parameter_groups(model.named_parameters(), 0.001, 0.05, None)
    optimizer = torch.optim.AdamW(groups, lr=0.01)
    options = types.SimpleNamespace(ngpu=0, unused_parameters=False, gradient_as_bucket_view=True)
    wrapped = MTLTrainer.wrap(model, options, world_size > 1).train()
    for step in range(4):
        loss, _, _ = wrapped(**{name: value[rank::world_size] for name, value in make_batch(step).items()})
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return {name: value.clone() for name, value in model.state_dict().items()}


def train_all(rank: int, world_size: int, folder: Path) -> list[dict[str, torch.Tensor]]:
    return [train(rank, world_size, folder, case) for case in CASES]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("models")
    still = dict.fromkeys(("hidden_dropout", "activation_dropout", "attention_dropout", "feat_proj_dropout"), 0.0)
    for large in (True, False):
        make_ssl(folder / str(large), large=large, **still)
    return train_all(0, 1, folder), run_ranks(train_all, 2, folder)


@pytest.mark.parametrize("case", range(len(CASES)), ids=list(CASES))
def test_two_ranks_equal_one(results: Any, case: int) -> None:
    one, (first, second) = results[0][case], [rank[case] for rank in results[1]]
    for name, expected in one.items():
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0, msg=f"ranks: {name}")
        torch.testing.assert_close(first[name], expected, rtol=1e-5, atol=1e-9, msg=name)
