"""Heads against numpy."""

import numpy as np
import pytest
import torch

from espnet2_ext.mtl.head import AbsHead, ParallelHeads
from espnet2_ext.mtl.task_spec import Task

EMBEDDING = torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
AGE = Task("age", "regression", dimensions=("a", "b"))
EMOTION = Task("emotion", "regression", dimensions=("a", "b"), activation="sigmoid")
COUNTRY = Task("country", "classification", classes=("x", "y", "z"))


def build_head(size: int, task: Task, hidden_size: int = 0, dropout: float = 0.0) -> AbsHead:
    return ParallelHeads([task], {task.name: size}, hidden_size, dropout)[task.name]


def linear(layer: torch.nn.Linear, x: np.ndarray) -> np.ndarray:
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


@pytest.mark.parametrize("task", [AGE, EMOTION, COUNTRY])
@pytest.mark.parametrize("hidden", [0, 4])
def test_outputs(task: Task, hidden: int) -> None:
    head = build_head(6, task, hidden, dropout=0.5).double().eval()
    layers = [layer for layer in head.layers if isinstance(layer, torch.nn.Linear)]
    expected = EMBEDDING.numpy()
    if hidden:
        expected = np.maximum(linear(layers[0], expected), 0)
    expected = linear(layers[-1], expected)
    if task is EMOTION:
        expected = 1 / (1 + np.exp(-expected))
    assert len(layers) == (2 if hidden else 1)
    np.testing.assert_allclose(head(EMBEDDING).detach().numpy(), expected, rtol=1e-10, atol=1e-12)


def test_probabilities_are_reported() -> None:
    head = build_head(6, COUNTRY).double()
    logits = head(EMBEDDING).detach()
    expected = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    np.testing.assert_allclose(head.report(logits).numpy(), expected, rtol=1e-10)


def test_standardised_targets_and_reports_in_units() -> None:
    """Age of mean 27 and deviation 5 years: 32 years are 1 deviation, and 1 is reported as 32 years."""
    head = build_head(6, AGE).double()
    head.target_mean.copy_(torch.tensor([27.0, 1.0]))
    head.target_std.copy_(torch.tensor([5.0, 0.5]))
    targets = torch.tensor([[32.0, 1.0], [27.0, torch.nan]], dtype=torch.float64)
    standardised = head.standardise(targets)
    torch.testing.assert_close(standardised, targets.new_tensor([[1.0, 0.0], [0.0, torch.nan]]), equal_nan=True)
    torch.testing.assert_close(head.report(standardised), targets, equal_nan=True)


def test_a_checkpoint_carries_the_statistics() -> None:
    head = build_head(6, AGE)
    head.target_mean.fill_(27)
    other = build_head(6, AGE)
    other.load_state_dict(head.state_dict())
    assert other.target_mean.tolist() == [27, 27]
