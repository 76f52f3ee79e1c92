"""The recipe freeburst: its support vector machines are those that scikit-learn trains when called directly."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC, SVR

from espnet2_ext.fileio.ark import ArkWriter
from espnet2_ext.fileio.table import write_table

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "egs/freeburst/mtl1/local/svm_reference.py"
KINDS = ("Pain", "Joy", "Awe", "Neutral")
SETS = {"train": 60, "dev": 30, "test": 24}
COSTS = 2.0 ** np.arange(-5, 9)

Data = dict[str, dict[str, np.ndarray]]


def make_data(seed: int = 0) -> Data:
    """Vectors, durations and labels of each set: no `Awe` in train, some labels missing (None, NaN)."""
    rng = np.random.default_rng(seed)
    data: Data = {}
    for name, count in SETS.items():
        kind = rng.choice(["Pain", "Joy", "Neutral"] if name == "train" else KINDS, count)
        centres = np.array([[KINDS.index(k), -KINDS.index(k) % 3, 0.0, 1.0] for k in kind])
        vectors = centres + rng.normal(0, 0.9, (count, 4))
        strength = np.clip(0.5 + 0.3 * np.tanh(vectors[:, 2]) + rng.normal(0, 0.1, count), 0, 1)
        data[name] = {
            "vectors": (vectors * [1, 100, 0.01, 5]).astype(np.float32),
            "seconds": np.round(rng.uniform(0.2, 3, count), 4),
            "type": np.where(rng.random(count) < 0.2, None, kind),
            "sex": np.where(rng.random(count) < 0.5, None, np.where(vectors[:, 1] > 0.5, "Male", "Female")),
            "intensity": np.where(rng.random(count) < 0.4, np.nan, np.round(strength * 64) / 64),  # exact in float32
        }
    return data


def write_case(folder: Path, data: Data) -> None:
    spec = {
        "tasks": [
            {"name": "type", "type": "classification", "classes": list(KINDS)},
            {"name": "sex", "type": "classification", "classes": ["Female", "Male"]},
            {"name": "intensity", "type": "regression", "dimensions": ["Intensity"], "range": [0, 1]},
        ]
    }
    (folder / "tasks.yaml").write_text(yaml.safe_dump(spec))
    for name, columns in data.items():
        utts = [f"u{i:03d}" for i in range(len(columns["type"]))]
        (folder / "data" / name).mkdir(parents=True)
        (folder / "dump" / name).mkdir(parents=True)
        write_table(folder / f"data/{name}/utt2dur", dict(zip(utts, map(str, columns["seconds"]), strict=True)))
        for task in ("type", "sex"):
            labels = {utt: label for utt, label in zip(utts, columns[task], strict=True) if label is not None}
            write_table(folder / f"data/{name}/utt2{task}", labels)
        known = {utt: str(v) for utt, v in zip(utts, columns["intensity"], strict=True) if not np.isnan(v)}
        if known:
            write_table(folder / f"data/{name}/utt2intensity", known)
        with ArkWriter(folder / f"dump/{name}/feats.ark", folder / f"dump/{name}/feats.scp") as writer:
            for utt, vector in zip(utts, columns["vectors"], strict=True):
                writer.write(utt, vector[None])


def run_reference(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "LC_ALL": "C", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, str(SCRIPT), "--tasks", "tasks.yaml", "--data", "data", "--sets", "dev", "test"]
    return subprocess.run(
        [*command, "--out", "exp", *options], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module", params=["vectors", "duration"])
def reference(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Data, str]:
    """Folder of a finished reference, its data, and what its inputs are."""
    folder, data = tmp_path_factory.mktemp("reference"), make_data()
    write_case(folder, data)
    done = run_reference(folder, *(["--dump", "dump"] if request.param == "vectors" else []))
    assert (done.returncode, done.stderr) == (0, "")
    return folder, data, request.param


def scaled_inputs(
    data: Data, kind: str, known: dict[str, np.ndarray], source: tuple[str, ...] = ("train",)
) -> dict[str, np.ndarray]:
    """Inputs of each set in units of the utterances of some sets that have a label."""
    inputs = {
        name: columns["vectors"].astype(np.float64) if kind == "vectors" else np.log(columns["seconds"])[:, None]
        for name, columns in data.items()
    }
    labelled = np.concatenate([inputs[name][known[name]] for name in source])
    mean, deviation = labelled.mean(axis=0), labelled.std(axis=0)
    return {name: (value - mean) / deviation for name, value in inputs.items()}


def records(folder: Path, name: str) -> list[dict]:
    lines = (folder / f"exp/predict_{name}/predictions.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    # Those without a label are predicted, too.
    assert [record["utt"] for record in found] == [f"u{i:03d}" for i in range(SETS[name])]
    return found


def concordance(prediction: np.ndarray, label: np.ndarray) -> float:
    """Lin's coefficient, with population moments."""
    covariance = np.mean((prediction - prediction.mean()) * (label - label.mean()))
    return 2 * covariance / (prediction.var() + label.var() + (prediction.mean() - label.mean()) ** 2)


def choose(scores: list[float]) -> tuple[float, float]:
    """The first C with the best score on dev, and the score."""
    return float(COSTS[int(np.argmax(scores))]), max(scores)


@pytest.mark.parametrize("task", ["type", "sex"])
def test_classes(reference: tuple[Path, Data, str], task: str) -> None:
    folder, data, kind = reference
    known = {name: np.array([label is not None for label in columns[task]]) for name, columns in data.items()}
    inputs = scaled_inputs(data, kind, known)
    machines, scores = {}, []
    for cost in COSTS:
        machine = SVC(C=cost, kernel="rbf", gamma="scale", class_weight="balanced", break_ties=True)
        machine.fit(inputs["train"][known["train"]], data["train"][task][known["train"]].astype(str))
        found = machine.predict(inputs["dev"][known["dev"]])
        scores.append(balanced_accuracy_score(data["dev"][task][known["dev"]].astype(str), found))
        machines[float(cost)] = machine
    best, score = choose(scores)
    chosen = json.loads((folder / "exp/chosen.json").read_text())[task]
    assert chosen == {"C": best, "dev_uar": pytest.approx(score, abs=1e-12)}
    both = SVC(C=best, class_weight="balanced", break_ties=True)
    inputs_both = scaled_inputs(data, kind, known, ("train", "dev"))
    both.fit(
        np.concatenate([inputs_both[name][known[name]] for name in ("train", "dev")]),
        np.concatenate([data[name][task][known[name]].astype(str) for name in ("train", "dev")]),
    )
    for name, expected in {
        "dev": machines[best].predict(inputs["dev"]),
        "test": both.predict(inputs_both["test"]),
    }.items():
        found = records(folder, name)
        assert [record[task]["class"] for record in found] == expected.tolist()
        for record in found:
            shares = record[task]["probabilities"]
            assert sum(shares.values()) == pytest.approx(1, abs=1e-6)
            if task == "type":
                assert (shares["Awe"] == 0) == (name == "dev")  # in dev's labels, never in train's


def test_values(reference: tuple[Path, Data, str]) -> None:
    folder, data, kind = reference
    known = {name: ~np.isnan(columns["intensity"]) for name, columns in data.items()}
    inputs = scaled_inputs(data, kind, known)
    label = data["dev"]["intensity"][known["dev"]]
    machines, scores = {}, []
    for cost in COSTS:
        machine = SVR(C=cost).fit(inputs["train"][known["train"]], data["train"]["intensity"][known["train"]])
        scores.append(concordance(machine.predict(inputs["dev"][known["dev"]]).clip(0, 1), label))
        machines[float(cost)] = machine
    best, score = choose(scores)
    chosen = json.loads((folder / "exp/chosen.json").read_text())["intensity"]
    assert chosen == {"C": best, "dev_ccc": pytest.approx(score, abs=1e-5)}
    inputs_both = scaled_inputs(data, kind, known, ("train", "dev"))
    both = SVR(C=best).fit(
        np.concatenate([inputs_both[name][known[name]] for name in ("train", "dev")]),
        np.concatenate([data[name]["intensity"][known[name]] for name in ("train", "dev")]),
    )
    for name, expected in {
        "dev": machines[best].predict(inputs["dev"]),
        "test": both.predict(inputs_both["test"]),
    }.items():
        found = [record["intensity"]["Intensity"] for record in records(folder, name)]
        assert found == pytest.approx(expected.clip(0, 1).tolist(), abs=1e-5)


def test_the_choice_is_no_trivial_one(reference: tuple[Path, Data, str]) -> None:
    """The tests above could not fail if the first C always won."""
    folder, _, kind = reference
    chosen = {entry["C"] for entry in json.loads((folder / "exp/chosen.json").read_text()).values()}
    assert kind == "duration" or len(chosen - {float(COSTS[0])}) >= 2


def test_it_looks_like_an_experiment(reference: tuple[Path, Data, str]) -> None:
    folder, _, _ = reference
    config = yaml.safe_load((folder / "exp/config.yaml").read_text())
    assert [task["name"] for task in config["task_spec"]["tasks"]] == ["type", "sex", "intensity"]
    assert "svm_reference.py" in yaml.safe_load((folder / "exp/env.yaml").read_text())["command"]


def one_class(data: Data) -> None:
    data["train"]["sex"] = np.where(data["train"]["sex"] == "Male", None, data["train"]["sex"])


def none_on_dev(data: Data) -> None:
    data["dev"]["intensity"] = np.full(SETS["dev"], np.nan)


def none_to_train(data: Data) -> None:
    data["train"]["intensity"] = np.full(SETS["train"], np.nan)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (one_class, "task sex: 1 different labels for training"),
        (none_on_dev, ", 0 for the choice of C"),
        (none_to_train, "task intensity: 0 different labels for training"),
    ],
)
def test_too_few_labels_are_one_line(change: Callable[[Data], None], message: str, tmp_path: Path) -> None:
    data = make_data()
    change(data)
    write_case(tmp_path, data)
    done = run_reference(tmp_path, "--dump", "dump")
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "exp").exists()
