import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import audmetric
import numpy as np
import pytest
from fake_experiment import make_spec, write_data, write_experiment, write_predictions
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

from espnet2_ext.bin import mtl_score
from espnet2_ext.errors import UserError
from espnet2_ext.report.bootstrap import read_samples

SPEC = make_spec(3)
Score = Callable[..., dict]


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    write_experiment(tmp_path / "exp/a", SPEC)
    return tmp_path / "exp/a"


@pytest.fixture
def score(tmp_path: Path, exp: Path, monkeypatch: pytest.MonkeyPatch) -> Score:
    def run(*extra: str, tasks: Path | None = None) -> dict:
        directory = exp / "predict_dev"
        arguments = ["--predictions", directory / "predictions.jsonl", "--data", tmp_path / "dump/dev",
                     "--tasks", tasks or exp / "config.yaml", "--out", directory / "score.json", *extra]  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["mtl_score", *map(str, arguments)])
        mtl_score.main()
        return json.loads((directory / "score.json").read_text())

    return run


def _expected(targets: dict[str, np.ndarray], predictions: dict[str, np.ndarray]) -> dict[str, float]:
    """The metrics by audmetric, scikit-learn and numpy."""
    known = {name: ~np.isnan(targets[name].astype(float)) for name in ("emotion", "age")}
    columns = []
    for d in range(3):
        rows = known["emotion"][:, d]
        columns.append(
            audmetric.concordance_cc(targets["emotion"][rows, d], predictions["emotion"][rows, d].astype(float))
        )
    has = targets["country"] >= 0
    truth, guess = targets["country"][has], predictions["country"].argmax(1)[has]
    mae = np.abs(targets["age"] - predictions["age"])[known["age"]].mean()
    result = {
        "emotion_ccc": float(np.mean(columns)),
        "country_uar": balanced_accuracy_score(truth, guess),
        "country_wa": accuracy_score(truth, guess),
        "country_macro_f1": f1_score(truth, guess, average="macro"),
        "age_mae": float(mae),
    }
    terms = [result["emotion_ccc"], result["country_uar"], 1 / result["age_mae"]]
    return result | {"s_mtl": 3 / sum(1 / t for t in terms)}


def test_metrics_equal_audmetric_and_scikit_learn(tmp_path: Path, exp: Path, score: Score) -> None:
    utts, targets = write_data(tmp_path / "dump/dev", SPEC)
    predictions = write_predictions(exp, "dev", SPEC, utts, targets, noise=0.5, seed=3)
    result = score("--bootstrap", "0")
    found = {name: entry["value"] for name, entry in result["metrics"].items()} | {"s_mtl": result["score"]["value"]}
    expected = _expected(targets, predictions)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    has = targets["country"] >= 0
    matrix = confusion_matrix(targets["country"][has], predictions["country"].argmax(1)[has])
    assert result["confusion"]["country"]["counts"] == matrix.tolist()
    assert result["labelled"] == {
        "emotion": int((~np.isnan(targets["emotion"]).all(1)).sum()),
        "country": int(has.sum()),
        "age": int((~np.isnan(targets["age"])).sum()),
    }
    assert result["per_dimension"]["emotion"]["Awe"]["count"] == (~np.isnan(targets["emotion"][:, 0])).sum()
    assert result["metrics"]["age_mae"]["interval"] is None
    assert not (exp / "predict_dev/bootstrap.npz").exists()


def test_order_of_predictions_does_not_matter(tmp_path: Path, exp: Path, score: Score) -> None:
    utts, targets = write_data(tmp_path / "dump/dev", SPEC)
    write_predictions(exp, "dev", SPEC, utts, targets, noise=0.5, seed=3)
    first = score("--bootstrap", "20")
    path = exp / "predict_dev/predictions.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert score("--bootstrap", "20") == first


def resampled(speakers: np.ndarray, number: int) -> np.ndarray:
    """Rows of a set by numpy alone: speakers, then rows of each, all from one stream."""
    stream = np.random.RandomState(number)
    drawn = stream.randint(0, speakers.max() + 1, speakers.max() + 1)
    rows = []
    for speaker in sorted(set(drawn)):
        own = np.flatnonzero(speakers == speaker)
        rows += list(own[stream.randint(0, len(own), len(own))]) * int((drawn == speaker).sum())
    return np.array(rows)


def test_intervals_are_of_resampled_speakers(tmp_path: Path, exp: Path, score: Score) -> None:
    """The library's own evaluate_with_conf_int seeds each speaker's draw alike, which test_bootstrap.py rules out."""
    utts, targets = write_data(tmp_path / "dump/dev", SPEC, missing=0)
    predictions = write_predictions(exp, "dev", SPEC, utts, targets, noise=0.5, seed=3)
    result = score("--bootstrap", "200")
    speakers = np.arange(len(utts)) // 6
    sets = [resampled(speakers, number) for number in range(200)]
    true, predicted = targets["country"], predictions["country"].argmax(1)
    expected = np.percentile([accuracy_score(true[rows], predicted[rows]) for rows in sets], [2.5, 97.5])
    assert result["metrics"]["country_wa"]["interval"] == pytest.approx(expected, abs=1e-12)

    def s_mtl(rows: np.ndarray) -> float:
        pick = lambda arrays: {name: array[rows] for name, array in arrays.items()}  # noqa: E731
        return _expected(pick(targets), pick(predictions))["s_mtl"]

    with np.errstate(all="ignore"):
        expected = np.percentile([s_mtl(rows) for rows in sets], [2.5, 97.5])
    assert result["score"]["interval"] == pytest.approx(expected, abs=1e-6)
    samples, mark = read_samples(exp / "predict_dev/bootstrap.npz")
    assert mark == result["bootstrap"]["fingerprint"]
    assert samples["s_mtl"].shape == (200,)
    assert np.percentile(samples["s_mtl"], [2.5, 97.5]) == pytest.approx(result["score"]["interval"])


def test_seed_decides_the_intervals(tmp_path: Path, exp: Path, score: Score) -> None:
    utts, targets = write_data(tmp_path / "dump/dev", SPEC)
    write_predictions(exp, "dev", SPEC, utts, targets, noise=0.5, seed=3)
    first, again, other = (
        score("--bootstrap", "30"),
        score("--bootstrap", "30"),
        score("--bootstrap", "30", "--seed", "1"),
    )
    assert first == again
    assert first["score"]["interval"] != other["score"]["interval"]
    assert first["bootstrap"]["fingerprint"] != other["bootstrap"]["fingerprint"]


def test_rare_labels_leave_the_interval_of_the_score_above_zero(
    tmp_path: Path, exp: Path, score: Score, caplog: pytest.LogCaptureFixture
) -> None:
    """Many resampled sets have no age label; training's rule, score 0, would drag the interval to 0 and warn."""
    utts, targets = write_data(tmp_path / "dump/dev", SPEC)
    (tmp_path / "dump/dev/utt2age").write_text(f"{utts[0]} 25\n{utts[1]} 30\n")
    write_predictions(exp, "dev", SPEC, utts, targets, noise=0.3, seed=3)
    result = score("--bootstrap", "50")
    assert result["labelled"]["age"] == 2
    assert result["score"]["interval"][0] > 0
    assert not caplog.records


def test_task_without_any_label_is_null_in_valid_json(tmp_path: Path, exp: Path, score: Score) -> None:
    utts, targets = write_data(tmp_path / "dump/dev", SPEC)
    (tmp_path / "dump/dev/utt2country").unlink()
    write_predictions(exp, "dev", SPEC, utts, targets, noise=0.3, seed=3)
    result = score("--bootstrap", "5")
    assert result["metrics"]["country_uar"] == {"value": None, "interval": None}
    assert result["score"]["value"] == 0
    assert result["score"]["interval"] is None
    assert "NaN" not in (exp / "predict_dev/score.json").read_text()


def test_table_is_printed(tmp_path: Path, exp: Path, score: Score, capsys: pytest.CaptureFixture[str]) -> None:
    utts, targets = write_data(tmp_path / "dump/dev", SPEC)
    write_predictions(exp, "dev", SPEC, utts, targets, noise=0.5, seed=3)
    result = score("--bootstrap", "5")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("60 utterances, 10 speakers")
    assert any(
        line.startswith("age MAE (years)") and f"{result['metrics']['age_mae']['value']:.3f}" in line for line in lines
    )
    assert lines[-1].startswith("S_MTL")


def _drop_prediction(tmp_path: Path, exp: Path) -> None:
    path = exp / "predict_dev/predictions.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


def _drop_utterance(tmp_path: Path, exp: Path) -> None:
    path = tmp_path / "dump/dev/utt2spk"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


def _strange_label(tmp_path: Path, exp: Path) -> None:
    with (tmp_path / "dump/dev/utt2age").open("a") as file:
        file.write("zzz 33\n")


def _no_label(tmp_path: Path, exp: Path) -> None:
    for name in SPEC.names:
        (tmp_path / f"dump/dev/utt2{name}").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_drop_prediction, "no prediction for s00-u000 of .*stage 7"),
        (_drop_utterance, "s00-u000 not in .*utt2spk"),
        (_strange_label, "utt2age: zzz not in utt2spk"),
        (_no_label, "no label of any task"),
    ],
)
def test_predictions_that_do_not_fit_the_set_are_one_line(
    tmp_path: Path, exp: Path, score: Score, spoil: Callable[[Path, Path], None], message: str
) -> None:
    utts, targets = write_data(tmp_path / "dump/dev", SPEC)
    write_predictions(exp, "dev", SPEC, utts, targets, noise=0.5, seed=3)
    spoil(tmp_path, exp)
    with pytest.raises(UserError, match=message) as caught:
        score("--bootstrap", "5")
    assert "\n" not in str(caught.value)
    assert not (exp / "predict_dev/score.json").exists()


def test_scoring_imports_nothing_slow() -> None:
    code = (
        "import sys, espnet2_ext.bin.mtl_score\n"
        "print([m for m in ('torch', 'espnet2', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
