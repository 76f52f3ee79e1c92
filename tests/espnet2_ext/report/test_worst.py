import numpy as np

from espnet2_ext.mtl.task_spec import task_spec_from_dict
from espnet2_ext.report.score_set import PredictedSet
from espnet2_ext.report.worst import worst_utterances

SPEC = task_spec_from_dict(
    {
        "tasks": [
            {"name": "va", "type": "regression", "dimensions": ["valence", "arousal"]},
            {"name": "age", "type": "regression", "dimensions": ["age"], "unit": "years"},
            {"name": "type", "type": "classification", "classes": ["cry", "laugh"]},
        ]
    }
)
NAN = np.nan


def _case() -> PredictedSet:
    targets = {
        "va": np.array([[0.5, NAN], [0.0, 1.0], [NAN, NAN], [0.2, 0.2]]),
        "age": np.array([[20.0], [NAN], [30.0], [40.0]]),
        "type": np.array([0, 1, 1, -1]),
    }
    predictions = {
        "va": np.array([[0.1, 9.0], [0.3, 0.9], [5.0, 5.0], [0.2, 0.1]]),
        "age": np.array([[22.0], [99.0], [29.5], [30.0]]),
        "type": np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.5, 0.5]]),
    }
    return PredictedSet(SPEC, ["a", "b", "c", "d"], ["s", "s", "t", "t"], predictions, targets)


def test_regression_ranks_by_mean_error_over_labels_only() -> None:
    # a: |.5 - .1| = .4 in one dimension; b: (.3 + .1) / 2 = .2; d: (.0 + .1) / 2 = .05; c has no label.
    found = worst_utterances(_case(), SPEC["va"], 5)
    assert [worst.utt for worst in found] == ["a", "b", "d"]
    assert found[0].text == "valence: true 0.50, predicted 0.10; mean error 0.40"
    assert found[1].text == "valence: true 0.00, predicted 0.30; arousal: true 1.00, predicted 0.90; mean error 0.20"


def test_one_dimension_is_in_its_unit_and_count_limits() -> None:
    found = worst_utterances(_case(), SPEC["age"], 1)
    assert [(worst.utt, worst.speaker, worst.text) for worst in found] == [
        ("d", "t", "true 40.00, predicted 30.00 years")
    ]


def test_classification_names_wrong_ones_by_probability_of_the_truth() -> None:
    found = worst_utterances(_case(), SPEC["type"], 5)
    assert [worst.utt for worst in found] == ["c", "b"]
    assert found[0].text == "true laugh (probability 0.20), predicted cry (0.80)"
