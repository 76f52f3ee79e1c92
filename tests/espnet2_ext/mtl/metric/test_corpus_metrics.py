import math
import statistics

import numpy as np
import pytest

from espnet2_ext.mtl.metric import evaluate, harmonic_mean, per_dimension
from espnet2_ext.mtl.task_spec import TaskSpec, task_spec_from_dict

SPEC = task_spec_from_dict(
    {
        "tasks": [
            {"name": "emotion", "type": "regression", "dimensions": ["awe", "fear"]},
            {"name": "country", "type": "classification", "classes": ["x", "y", "z"]},
            {"name": "age", "type": "regression", "dimensions": ["years"], "loss": "l1", "metric": "mae"},
        ],
        "score": {
            "name": "s_mtl",
            "terms": [
                {"task": "emotion", "metric": "ccc"},
                {"task": "country", "metric": "uar"},
                {"task": "age", "metric": "mae", "transform": "inverse"},
            ],
        },
    }
)
# awe: CCC 8/13, rho 1, MAE 1 (means 2 and 3, variances 2/3 and 8/3, covariance 4/3); fear: perfect.
PREDICTIONS = {
    "emotion": np.array([[1.0, 0.1], [2.0, 0.2], [3.0, 0.6]]),
    "country": np.array([[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.1, 0.7, 0.2]]),
    "age": np.array([[20.0], [30.0], [40.0]]),
}
TARGETS = {
    "emotion": np.array([[1.0, 0.1], [3.0, 0.2], [5.0, 0.6]]),
    "country": np.array([0, 1, 1]),
    "age": np.array([[22.0], [30.0], [36.0]]),
}


def changed(data: dict[str, np.ndarray], **tasks: np.ndarray) -> dict[str, np.ndarray]:
    return {**data, **tasks}


def test_harmonic_mean() -> None:
    # The reported validation figures of equal weighting: CCC .633, UAR .525, MAE 3.928 years.
    assert harmonic_mean([0.633, 0.525, 1 / 3.928]) == pytest.approx(0.4047, abs=5e-5)
    assert harmonic_mean([0.3, 0.7, 0.9]) == pytest.approx(statistics.harmonic_mean([0.3, 0.7, 0.9]), rel=1e-14)
    assert harmonic_mean([0.4]) == pytest.approx(0.4)
    assert harmonic_mean([0.9, 0.0]) == 0
    assert harmonic_mean([0.9, -0.2]) == 0
    assert harmonic_mean([0.9, 1e-320]) == 0
    assert math.isnan(harmonic_mean([0.9, math.nan]))
    assert math.isnan(harmonic_mean([]))


def test_evaluate_by_hand() -> None:
    emotion, country, age = (8 / 13 + 1) / 2, 3 / 4, 2.0
    results = evaluate(SPEC, PREDICTIONS, TARGETS)
    ages = np.array([[20.0, 30.0, 40.0], [22.0, 30.0, 36.0]])
    assert results == pytest.approx(
        {
            "emotion_ccc": emotion,
            "emotion_pearson": 1.0,
            "emotion_mae": 0.5,
            "country_uar": country,
            "country_wa": 2 / 3,
            "country_macro_f1": (2 / 3 + 2 / 3) / 2,
            "age_ccc": 2 * np.cov(ages, bias=True)[0, 1] / (ages.var(axis=1).sum() + (30 - 88 / 3) ** 2),
            "age_pearson": np.corrcoef(ages)[0, 1],
            "age_mae": age,
            "s_mtl": 3 / (1 / emotion + 1 / country + age),
        }
    )
    assert all(type(value) is float for value in results.values())


def test_order_of_utterances_does_not_matter() -> None:
    order = [2, 0, 1]
    shuffled = [{name: values[order] for name, values in data.items()} for data in (PREDICTIONS, TARGETS)]
    assert evaluate(SPEC, *shuffled) == pytest.approx(evaluate(SPEC, PREDICTIONS, TARGETS), rel=1e-14)


def test_score_of_a_subset_keeps_its_terms() -> None:
    results = evaluate(SPEC.subset(["age"]), PREDICTIONS, TARGETS)
    assert results["score"] == pytest.approx(1 / 2.0)
    assert set(results) == {"age_ccc", "age_pearson", "age_mae", "score"}
    # A spec whose score still names a task that it does not hold is restricted likewise.
    narrowed = TaskSpec((SPEC["age"], SPEC["country"]), SPEC.score)
    assert evaluate(narrowed, PREDICTIONS, TARGETS)["s_mtl"] == pytest.approx(2 / (4 / 3 + 2))


def test_undeclared_score_is_the_mean_of_the_tasks_own_metrics() -> None:
    data = SPEC.to_dict()
    del data["score"]
    results = evaluate(task_spec_from_dict(data), PREDICTIONS, TARGETS)
    assert results["score"] == pytest.approx(evaluate(SPEC, PREDICTIONS, TARGETS)["s_mtl"])


def test_task_without_a_label_scores_zero_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    targets = changed(TARGETS, country=np.full(3, -1))
    results = evaluate(SPEC, PREDICTIONS, targets)
    assert math.isnan(results["country_uar"])
    assert results["s_mtl"] == 0
    assert "uar of task country is not defined" in caplog.text


def test_dimension_without_a_label_is_left_out_of_the_mean() -> None:
    emotion = TARGETS["emotion"].copy()
    emotion[:, 1] = np.nan
    results = evaluate(SPEC, PREDICTIONS, changed(TARGETS, emotion=emotion))
    assert results["emotion_ccc"] == pytest.approx(8 / 13)
    assert results["s_mtl"] > 0


@pytest.mark.parametrize("constant", [0.0, 5.0])
def test_constant_prediction_scores_zero(constant: float) -> None:
    results = evaluate(SPEC, changed(PREDICTIONS, emotion=np.full((3, 2), constant)), TARGETS)
    assert results["emotion_ccc"] == 0
    assert results["s_mtl"] == 0


def test_error_of_zero_keeps_the_score_finite() -> None:
    predictions = changed(PREDICTIONS, age=TARGETS["age"])
    assert math.isfinite(evaluate(SPEC.subset(["age"]), predictions, TARGETS)["score"])
    emotion, country = (8 / 13 + 1) / 2, 3 / 4
    assert evaluate(SPEC, predictions, TARGETS)["s_mtl"] == pytest.approx(3 / (1 / emotion + 1 / country))


def test_per_dimension() -> None:
    report = per_dimension(SPEC, PREDICTIONS, TARGETS)
    assert list(report) == ["emotion", "country", "age"]
    assert report["emotion"]["awe"] == pytest.approx({"count": 3, "ccc": 8 / 13, "pearson": 1, "mae": 1})
    assert report["emotion"]["fear"] == pytest.approx({"count": 3, "ccc": 1, "pearson": 1, "mae": 0})
    assert report["country"]["x"] == pytest.approx({"count": 1, "recall": 1, "f1": 2 / 3})
    assert report["country"]["y"] == pytest.approx({"count": 2, "recall": 1 / 2, "f1": 2 / 3})
    assert report["country"]["z"] == pytest.approx({"count": 0, "recall": np.nan, "f1": np.nan}, nan_ok=True)
    assert report["age"]["years"]["mae"] == pytest.approx(2)


def test_bad_input_names_the_task() -> None:
    with pytest.raises(ValueError, match="task age: 1 of 3 predictions are not finite"):
        evaluate(SPEC, changed(PREDICTIONS, age=np.array([[np.nan], [1.0], [2.0]])), TARGETS)
    with pytest.raises(ValueError, match="task country: 3 of 9 scores are not finite"):
        evaluate(SPEC, changed(PREDICTIONS, country=np.array([[np.nan] * 3, [1.0] * 3, [1.0] * 3])), TARGETS)
    with pytest.raises(ValueError, match="task country: no predictions or no labels"):
        evaluate(SPEC, {"emotion": PREDICTIONS["emotion"]}, TARGETS)
    with pytest.raises(ValueError, match=r"task age: predictions \(3, 2\) and labels \(3, 1\)"):
        evaluate(SPEC, changed(PREDICTIONS, age=np.zeros((3, 2))), TARGETS)
    with pytest.raises(ValueError, match="task country"):
        per_dimension(SPEC, changed(PREDICTIONS, country=np.zeros((2, 3))), TARGETS)
