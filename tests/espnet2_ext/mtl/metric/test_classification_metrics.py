import audmetric
import numpy as np
import pytest
import sklearn.metrics

from espnet2_ext.mtl.metric import confusion_matrix, macro_f1, uar, wa

TARGET = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTION = np.array([0, 0, 0, 1, 1, 0, 2, 1])


def test_hand_values() -> None:
    # Recalls 3/4, 1/2, 1/2; F1: 2*3/(4+4), 2*1/(2+3), 2*1/(2+1).
    assert uar(PREDICTION, TARGET) == pytest.approx(7 / 12)
    assert wa(PREDICTION, TARGET) == pytest.approx(5 / 8)
    assert macro_f1(PREDICTION, TARGET) == pytest.approx((3 / 4 + 2 / 5 + 2 / 3) / 3)
    assert confusion_matrix(PREDICTION, TARGET).tolist() == [[3, 1, 0], [1, 1, 0], [0, 1, 1]]


@pytest.mark.parametrize("n_classes", [2, 4, 8])
@pytest.mark.parametrize("n", [50, 400])
def test_equal_other_libraries(n_classes: int, n: int) -> None:
    rng = np.random.default_rng(n + n_classes)
    target = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n)])
    scores = rng.random((len(target), n_classes))
    scores[np.arange(len(target)), target] += 0.3
    prediction = scores.argmax(axis=1)
    assert uar(scores, target) == pytest.approx(sklearn.metrics.balanced_accuracy_score(target, prediction), abs=1e-12)
    assert uar(scores, target) == pytest.approx(audmetric.unweighted_average_recall(target, prediction), abs=1e-12)
    assert wa(scores, target) == pytest.approx(sklearn.metrics.accuracy_score(target, prediction), abs=1e-12)
    assert wa(scores, target) == pytest.approx(audmetric.accuracy(target, prediction), abs=1e-12)
    f1 = sklearn.metrics.f1_score(target, prediction, average="macro")
    assert macro_f1(scores, target) == pytest.approx(f1, abs=1e-12)
    assert macro_f1(scores, target) == pytest.approx(audmetric.unweighted_average_fscore(target, prediction), abs=1e-12)
    assert (confusion_matrix(scores, target) == sklearn.metrics.confusion_matrix(target, prediction)).all()


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_class_without_support() -> None:
    target, prediction = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    # Class 2 has no recall; its F1 is 0 for it was predicted; class 3 does not occur at all.
    assert uar(prediction, target) == pytest.approx((1 / 2 + 1) / 2)
    assert uar(prediction, target) == sklearn.metrics.balanced_accuracy_score(target, prediction)
    assert macro_f1(prediction, target) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert macro_f1(prediction, target) == pytest.approx(
        sklearn.metrics.f1_score(target, prediction, average="macro", zero_division=0)
    )
    scores = np.eye(4)[prediction]
    assert uar(scores, target) == uar(prediction, target)


def test_missing_labels_are_left_out() -> None:
    target = np.array([0, -1, 1, 1, -1])
    scores = np.array([[0.9, 0.1], [np.nan, np.nan], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
    assert uar(scores, target) == pytest.approx(0.75)
    assert wa(scores, target) == pytest.approx(2 / 3)
    assert confusion_matrix(scores, target, 3).sum() == 3


@pytest.mark.parametrize("metric", [uar, wa, macro_f1])
def test_without_any_label_it_is_nan(metric: object) -> None:
    assert np.isnan(metric(np.ones((2, 3)), np.array([-1, -1])))
    assert np.isnan(metric(np.zeros((0, 3)), np.zeros(0)))
    assert np.isnan(metric([], []))


@pytest.mark.parametrize("metric", [uar, wa, macro_f1])
def test_single_sample(metric: object) -> None:
    assert metric([1], [1]) == 1
    assert metric([0], [1]) == 0


def test_constant_prediction_has_the_recall_of_chance() -> None:
    target = np.array([0, 0, 0, 1, 2, 3])
    assert uar(np.zeros((6, 4)), target) == pytest.approx(1 / 4)  # the first of equal scores


def test_bad_input_is_an_error() -> None:
    with pytest.raises(ValueError, match="2 of 4 scores are not finite"):
        uar(np.array([[np.nan, np.inf], [0.0, 1.0]]), [0, 1])
    with pytest.raises(ValueError, match="1 of 2 predictions are not finite"):
        uar([np.nan, 0.0], [0, 1])
    with pytest.raises(ValueError, match="1 of 2 labels are no class index >= -1"):
        uar([0, 1], [0, -2])
    with pytest.raises(ValueError, match="1 of 2 labels are no class index"):
        uar([0, 1], [0, 0.5])
    with pytest.raises(ValueError, match="1 of 2 predictions are no class index >= 0"):
        wa([0, -1], [0, 1])
    with pytest.raises(ValueError, match="label 3 with scores of 2 classes"):
        macro_f1(np.zeros((1, 2)), [3])
    with pytest.raises(ValueError, match="class index 3 with 2 classes"):
        confusion_matrix([3], [1], 2)
    with pytest.raises(ValueError, match="must be"):
        uar(np.zeros((2, 3)), np.zeros((2, 1)))
