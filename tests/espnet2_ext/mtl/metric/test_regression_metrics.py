import audmetric
import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error

from espnet2_ext.mtl.metric import ccc, mae, pearson


def test_hand_values() -> None:
    # means 2 and 3, variances 2/3 and 8/3, covariance 4/3.
    prediction, target = [1.0, 2.0, 3.0], [1.0, 3.0, 5.0]
    assert ccc(prediction, target) == pytest.approx(8 / 13, rel=1e-15)
    assert pearson(prediction, target) == pytest.approx(1, rel=1e-15)
    assert mae(prediction, target) == pytest.approx(1, rel=1e-15)
    assert isinstance(ccc(prediction, target), np.float64)


@pytest.mark.parametrize("n", [2, 8, 64, 1000])
def test_equal_other_libraries(n: int) -> None:
    rng = np.random.default_rng(n)
    target = rng.random((n, 4))
    prediction = 0.5 * target + rng.random((n, 4))
    columns = [(prediction[:, d], target[:, d]) for d in range(4)]
    assert ccc(prediction, target) == pytest.approx([audmetric.concordance_cc(y, x) for x, y in columns], abs=1e-12)
    assert pearson(prediction, target) == pytest.approx([audmetric.pearson_cc(y, x) for x, y in columns], abs=1e-12)
    assert pearson(prediction, target) == pytest.approx([np.corrcoef(x, y)[0, 1] for x, y in columns], abs=1e-12)
    assert mae(prediction, target) == pytest.approx([mean_absolute_error(y, x) for x, y in columns], abs=1e-12)
    assert ccc(prediction[:, 1], target[:, 1]) == pytest.approx(ccc(prediction, target)[1], rel=1e-12)


@pytest.mark.parametrize("n", [2, 8, 64])
def test_perfect_prediction_is_one(n: int) -> None:
    x = np.random.default_rng(n).random(n)
    assert ccc(x, x) == pytest.approx(1, abs=1e-15)
    assert pearson(x, 3 * x + 1) == pytest.approx(1, abs=1e-12)
    assert ccc(-x, x) < 0


def test_missing_labels_are_left_out() -> None:
    rng = np.random.default_rng(0)
    prediction, target = rng.random((20, 3)), rng.random((20, 3))
    missing = rng.random((20, 3)) < 0.4
    target[missing] = np.nan
    prediction[missing] = np.nan  # not looked at where there is no label
    for metric in (ccc, pearson, mae):
        expected = [metric(prediction[~missing[:, d], d], target[~missing[:, d], d]) for d in range(3)]
        assert metric(prediction, target) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", [ccc, pearson, mae])
def test_without_any_label_it_is_nan(metric: object) -> None:
    assert np.isnan(metric([1.0, 2.0], [np.nan, np.nan]))
    assert np.isnan(metric(np.zeros((0, 2)), np.zeros((0, 2)))).all()
    target = np.array([[1.0, np.nan], [2.0, np.nan]])
    assert np.isnan(metric(target, target)).tolist() == [False, True]


@pytest.mark.parametrize("level", [0.0, 0.3, 0.1, 1 / 3, 1e6 + 0.1])
@pytest.mark.parametrize("n", [1, 3, 10, 997])
def test_constants_have_no_correlation(level: float, n: int) -> None:
    constant, varying = np.full(n, level), np.random.default_rng(0).random(n)
    for metric in (ccc, pearson):
        assert metric(constant, constant) == 0
        assert metric(constant, varying) == 0
        assert metric(varying, constant) == 0
    assert mae(constant, constant) == 0


def test_offset_keeps_precision() -> None:
    x = np.random.default_rng(1).standard_normal(100)
    assert ccc(1e6 + x, 1e6 + x + 0.5) == pytest.approx(ccc(x, x + 0.5), rel=1e-8)


def test_float32_input_is_computed_in_float64() -> None:
    x = np.random.default_rng(2).random(5000).astype(np.float32)
    y = (x + np.float32(0.01)).astype(np.float32)
    assert ccc(x, y) == ccc(x.astype(np.float64), y.astype(np.float64))


@pytest.mark.parametrize("metric", [ccc, pearson, mae])
def test_predictions_that_are_no_number_are_an_error(metric: object) -> None:
    with pytest.raises(ValueError, match="2 of 3 predictions are not finite"):
        metric([np.nan, np.inf, 1.0, np.nan], [1.0, 2.0, 3.0, np.nan])
    with pytest.raises(ValueError, match="1 of 2 labels are not finite"):
        metric([1.0, 2.0], [np.inf, 2.0])
    with pytest.raises(ValueError, match=r"\(3,\) and labels \(3, 1\)"):
        metric(np.zeros(3), np.zeros((3, 1)))
