"""Mixtures against float64."""

import numpy as np
import pytest

from espnet2_ext.data.augment.mix_targets import mix_targets
from espnet2_ext.data.augment.mixup import Mixup
from espnet2_ext.feature import build_feature
from espnet2_ext.mtl.task_spec import task_spec_from_dict

EMOTION, TYPE = task_spec_from_dict(
    {
        "tasks": [
            {"name": "emotion", "type": "regression", "dimensions": ["a", "b"]},
            {"name": "type", "type": "classification", "classes": ["x", "y", "z"]},
        ]
    }
)
RNG = np.random.default_rng(0)
A, B = (RNG.normal(size=(7, 5)).astype(np.float32) * 4 for _ in range(2))
NAN = np.nan


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_features(weight: float) -> None:
    mixed = Mixup().mix(A, B, weight, None)
    assert mixed.dtype == np.float32
    np.testing.assert_allclose(mixed, weight * A.astype(float) + (1 - weight) * B.astype(float), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 1e-30, 0.3, 1.0])
@pytest.mark.parametrize("scale", [1.0, 0.5, 10 / np.log(10)])
def test_linear_domain_mixes_energies(weight: float, scale: float) -> None:
    mixed = Mixup(domain="linear").mix(A, B, weight, scale)
    assert mixed.dtype == np.float32
    energies = (np.exp(x.astype(float) / scale) for x in (A, B))
    expected = scale * np.log(sum(w * e for w, e in zip((weight, 1 - weight), energies, strict=True)))
    np.testing.assert_allclose(mixed, expected, rtol=1e-5, atol=1e-5)


def test_linear_domain_is_the_sum_of_independent_sounds() -> None:
    """Noise at weights w and 1 - w of the power, added as waves, has the mixed features but for the cross terms."""
    rng = np.random.default_rng(0)
    low, high = rng.normal(size=(2, 64000)) * 0.1
    low = np.cumsum(low) * 0.05
    feature = build_feature("log_mel", n_mels=8)
    waves = [low, high, np.sqrt(0.2) * low + np.sqrt(0.8) * high]
    one, two, together = feature.extract([wave.astype(np.float32) for wave in waves], 16000)
    mixed = Mixup(domain="linear").mix(one, two, 0.2, feature.log_scale)
    assert abs((mixed - together).mean(axis=0)).max() < 0.15
    assert abs((Mixup().mix(one, two, 0.2, None) - together).mean(axis=0)).max() > 0.5


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_weights_are_beta(alpha: float) -> None:
    """Mean 1/2 and variance 1 / (4 (2 alpha + 1))."""
    weights = np.array([Mixup(alpha=alpha).weight(np.random.default_rng(seed)) for seed in range(4000)])
    assert ((weights >= 0) & (weights <= 1)).all()
    assert weights.mean() == pytest.approx(0.5, abs=0.04)
    assert weights.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_regression_labels() -> None:
    targets = np.array([[1, 10], [3, NAN], [NAN, 50]], np.float32)
    mixed = mix_targets(EMOTION, targets, [0, 0, 1, 0, 2], [1, 2, 2, 0, 2], [0.25, 0.5, 0.9, 1.0, 1.0])
    assert mixed.dtype == np.float32
    np.testing.assert_allclose(mixed, [[2.5, NAN], [NAN, 30], [NAN, NAN], [1, 10], [NAN, 50]], rtol=1e-6)


def test_soft_labels_are_mixed_as_they_are() -> None:
    targets = np.array([[0.5, 0.5, 0], [0, 0.25, 0.75], [NAN] * 3], np.float32)
    mixed = mix_targets(TYPE, targets, [0, 1, 0], [1, 1, 2], [0.25, 1.0, 0.9])
    np.testing.assert_allclose(mixed, [[0.125, 0.3125, 0.5625], [0, 0.25, 0.75], [NAN] * 3], rtol=1e-6)


def test_classes_become_probabilities() -> None:
    targets = np.array([0, 2, -1])
    mixed = mix_targets(TYPE, targets, [0, 1, 0, 2, 1], [1, 1, 2, 0, 1], [0.25, 0.3, 0.9, 1.0, 1.0])
    assert mixed.dtype == np.float32
    np.testing.assert_allclose(mixed, [[0.25, 0, 0.75], [0, 0, 1], [NAN] * 3, [NAN] * 3, [0, 0, 1]], rtol=1e-6)
