"""Tables of folds and systems where labels are missing, against numbers by hand."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from fake_experiment import write_data, write_experiment, write_predictions

from espnet2_ext.mtl.task_spec import task_spec_from_dict

LOCAL = Path(__file__).parents[2] / "egs/iemocap/mtl1/local"
MODULES = ("protocols", "fold_table", "system_figures", "system_table")
SPEC = task_spec_from_dict(
    {
        "tasks": [
            {"name": "emotion", "type": "classification", "classes": ["ang", "hap", "sad"]},
            {"name": "gender", "type": "classification", "classes": ["F", "M"]},
        ]
    }
)


@pytest.fixture
def system_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(LOCAL))
    yield importlib.import_module("system_table")
    for name in MODULES:
        sys.modules.pop(name, None)


def test_likelihood_is_of_the_labels_there_are(system_table: ModuleType, tmp_path: Path) -> None:
    """With --keep_unlabelled true many utterances have no emotion: they take no part in its mean."""
    exp = tmp_path / "exp/paper/fold1/mm_seed1"
    write_experiment(exp, SPEC, epochs=3)
    config = yaml.safe_load((exp / "config.yaml").read_text())
    (exp / "config.yaml").write_text(yaml.safe_dump(config | {"valid_dir": str(tmp_path / "dump/dev")}))
    means = {}
    for name, seed in (("dev", 1), ("test", 2)):
        utts, targets = write_data(tmp_path / "dump" / name, SPEC, n=30, seed=seed, missing=0.4)
        found = write_predictions(exp, name, SPEC, utts, targets, noise=0.8, seed=seed)
        if name == "dev":
            for task, target in targets.items():
                known = np.flatnonzero(target >= 0)
                assert 0 < len(known) < 30
                means[task] = float(-np.log(found[task][known, target[known]].astype(np.float64)).mean())
    values = system_table.joint_values(system_table.read_run(exp))
    assert values["emotion_nll"] == pytest.approx(means["emotion"], rel=1e-6)
    assert values["gender_nll"] == pytest.approx(means["gender"], rel=1e-6)
    assert values["nll"] == pytest.approx(sum(means.values()), rel=1e-6)
