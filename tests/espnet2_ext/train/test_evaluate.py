"""Whole-set evaluation: the same for any number of ranks, each utterance once."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ranks import run_ranks
from tiny_dump import N_BINS, TASKS, make_dump

from espnet2_ext.data.crop import Crop
from espnet2_ext.data.dataset import MTLDataset
from espnet2_ext.data.sampler import SequentialBatchSampler
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.task_spec import task_spec_from_dict
from espnet2_ext.train.evaluate import evaluate_model, gather_sets, run_model

N_UTTS = 61
STATS = {"age": {"mean": [25.0], "std": [3.0]}}


def make_model() -> ESPnetMTLModel:
    torch.manual_seed(0)
    return build_model(
        {
            "task_spec": TASKS, "input_size": N_BINS, "encoder": "multi_exit_cnn",
            "encoder_conf": {"channels": [4, 8]}, "normalize": None, "normalize_conf": {}, "weighting": "equal",
            "weighting_conf": {}, "head_conf": {"dropout": 0.5}, "channels_last": False, "compile_encoder": False,
        },
        STATS,
    )  # fmt: skip


def off() -> torch.autocast:
    return torch.autocast("cpu", enabled=False)


def batches(folder: str, crop: Crop, size: int, rank: int, world_size: int) -> list[Any]:
    dataset = MTLDataset(folder, task_spec_from_dict(TASKS), crop, train=False)
    return [dataset.__getitems__(items) for items in SequentialBatchSampler(len(dataset), size, rank, world_size)]


CROPS = [Crop(frames=20), Crop(evaluation="whole", min_frames=4, padding="zero")]


def evaluate_all(rank: int, world_size: int, folder: str) -> list[dict[str, Any]]:
    if world_size > 1:  # in a process of its own
        logging.disable(logging.WARNING)
    model = make_model()
    results = []
    for crop in CROPS:
        own = batches(folder, crop, 8, rank, world_size)
        utts, outputs, targets = gather_sets(*run_model(model, own, "cpu", off()))
        arrays = {
            f"{kind} {n}": torch.from_numpy(a) for kind, d in (("o", outputs), ("t", targets)) for n, a in d.items()
        }
        metrics = evaluate_model(model, own, "cpu", off())
        results.append({"utts": utts, "metrics": metrics, "own": sum(len(u) for u, _ in own)} | arrays)
    return results


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evaluate") / "dump"
    make_dump(path, N_UTTS, 3, "dv")
    return path


def test_one_and_two_ranks_agree(folder: Path) -> None:
    one, both = evaluate_all(0, 1, str(folder)), run_ranks(evaluate_all, 2, str(folder))
    for case, expected in enumerate(one):
        first, second = both[0][case], both[1][case]
        assert (first["own"], second["own"]) == (32, 29)
        assert expected["utts"] == first["utts"] == second["utts"]
        assert len(set(expected["utts"])) == len(expected["utts"]) == N_UTTS
        assert expected["utts"] == sorted(expected["utts"])
        assert first["metrics"] == second["metrics"] == expected["metrics"]
        for name, value in expected.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(first[name].nan_to_num(-7), value.nan_to_num(-7)), name


def test_metrics_are_of_the_whole_set_in_units(folder: Path) -> None:
    """MAE in years and UAR with plain numpy from the model run one utterance at a time."""
    model = make_model().eval()
    errors, hits = [], {0: [], 1: []}
    for _, batch in batches(str(folder), CROPS[0], 1, 0, 1):
        with torch.no_grad():
            report = model.report(model.outputs(batch["feats"]))
        if not batch["age"].isnan().any():
            errors.append(abs(report["age"].item() - batch["age"].item()))
        if batch["country"].item() >= 0:
            hits[batch["country"].item()].append(report["country"].argmax().item() == batch["country"].item())
    metrics = evaluate_model(model, batches(str(folder), CROPS[0], 8, 0, 1), "cpu", off())
    assert metrics["age_mae"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert metrics["country_uar"] == pytest.approx(np.mean([np.mean(h) for h in hits.values()]))
    terms = [metrics["emotion_ccc"], metrics["country_uar"], 1 / metrics["age_mae"]]
    expected = 3 / sum(1 / t for t in terms) if min(terms) > 0 else metrics["s_mtl"]
    assert metrics["s_mtl"] == pytest.approx(expected)
    assert metrics["score"] == metrics["s_mtl"]


def test_batch_size_does_not_matter(folder: Path) -> None:
    """No dropout, no batch statistics: evaluation mode is set by run_model."""
    model = make_model().train()
    results = []
    for size in (1, 7, 64):
        utts, outputs, _ = run_model(model, batches(str(folder), CROPS[1], size, 0, 1), "cpu", off())
        assert len(utts) == N_UTTS
        results.append(outputs)
    assert not model.training
    for other in results[1:]:
        for name, expected in results[0].items():
            np.testing.assert_allclose(other[name], expected, rtol=1e-4, atol=1e-5)


def test_a_task_without_label_has_no_loss(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = batches(str(folder), CROPS[0], 16, 0, 1)
    for _, batch in own:
        batch["age"][:] = torch.nan
    metrics = evaluate_model(make_model(), own, "cpu", off())
    assert np.isnan(metrics["loss_age"])
    assert np.isnan(metrics["age_mae"])
    assert metrics["score"] == 0
    assert "mae of task age is not defined" in caplog.text


def test_diverged_model_is_one_line(folder: Path) -> None:
    model = make_model()
    torch.nn.init.constant_(model.heads["age"].layers[-1].bias, float("nan"))
    with pytest.raises(UserError, match="training has diverged"):
        evaluate_model(model, batches(str(folder), CROPS[0], 16, 0, 1), "cpu", off())


def fewer_than_ranks(rank: int, world_size: int, folder: str) -> dict[str, float]:
    """Two utterances in one batch: the second rank has none."""
    if world_size > 1:  # in a process of its own
        logging.disable(logging.WARNING)
    own = batches(folder, CROPS[0], 8, rank, world_size)
    return {"n": len(own)} | evaluate_model(make_model(), own, "cpu", off())


def test_a_rank_without_utterance(tmp_path: Path) -> None:
    make_dump(tmp_path / "dump", 5, 3, "dv", missing=0)
    first, second = run_ranks(fewer_than_ranks, 2, str(tmp_path / "dump"))
    assert (first.pop("n"), second.pop("n")) == (1, 0)
    assert first == second == {k: v for k, v in fewer_than_ranks(0, 1, str(tmp_path / "dump")).items() if k != "n"}
