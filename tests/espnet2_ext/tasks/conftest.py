"""Data of the small trainings."""

import pytest
import torch
from tiny_dump import make_experiment


@pytest.fixture(scope="session")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options of a small training; the last one of a kind wins, so tests append theirs."""
    torch.set_num_threads(1)
    return make_experiment(tmp_path_factory.mktemp("experiment"), n_train=24, n_dev=9)
