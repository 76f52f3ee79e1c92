"""Gain, noise and speed against float64 and other libraries."""

import numpy as np
import pytest
import scipy.signal
import torch
import torchaudio

from espnet2_ext.data.augment.abs_augmentation import AbsWaveAugmentation
from espnet2_ext.data.augment.feature_gain import FeatureGain
from espnet2_ext.data.augment.gain import Gain
from espnet2_ext.data.augment.noise import Noise
from espnet2_ext.data.augment.speed import Speed
from espnet2_ext.feature import build_feature

RATE = 16000
WAVE = (np.random.default_rng(1).normal(size=RATE) * 0.1).astype(np.float32)


def applied(augmentation: AbsWaveAugmentation, seed: int = 0, wave: np.ndarray = WAVE) -> np.ndarray:
    result = augmentation.apply(wave, RATE, np.random.default_rng(seed))
    assert result.dtype == np.float32
    assert result.ndim == 1
    return result


@pytest.mark.parametrize("augmentation", [Gain(), Noise(), Speed(factors=[0.9, 1.1])], ids=lambda a: a.name)
def test_seeded_and_input_kept(augmentation: AbsWaveAugmentation) -> None:
    before = WAVE.copy()
    assert np.array_equal(applied(augmentation, 5), applied(augmentation, 5))
    assert any(not np.array_equal(applied(augmentation, 5), applied(augmentation, seed)) for seed in range(6, 12))
    assert np.array_equal(WAVE, before)


@pytest.mark.parametrize(("db", "factor"), [(20, 10.0), (-6, 0.5011872336272722), (0, 1.0)])
def test_gain(db: float, factor: float) -> None:
    np.testing.assert_allclose(applied(Gain(min_db=db, max_db=db)), WAVE.astype(np.float64) * factor, rtol=1e-6)


def test_gain_is_uniform_in_db() -> None:
    one = np.ones(1, np.float32)
    db = np.array([20 * np.log10(applied(Gain(min_db=-4, max_db=8), seed, one)[0]) for seed in range(2000)])
    assert db.min() >= -4 - 1e-5
    assert db.max() <= 8 + 1e-5
    assert abs(db.mean() - 2) < 5 * 12 / np.sqrt(12 * 2000)


@pytest.mark.parametrize(
    "conf",
    [
        {"name": "log_mel", "log": "natural"}, {"name": "log_mel", "log": "db"}, {"name": "log_mel", "power": 1.0},
        {"name": "log_mel", "power": 1.0, "log": "db"}, {"name": "kaldi_fbank"},
        {"name": "kaldi_fbank", "use_power": False},
    ],
    ids=str,
)  # fmt: skip
def test_gain_of_features_is_that_of_the_wave(conf: dict) -> None:
    feature = build_feature(**conf)
    plain, louder = feature.extract([WAVE, applied(Gain(min_db=7, max_db=7))], RATE)
    changed = FeatureGain(min_db=7, max_db=7).apply(plain, feature.log_scale, np.random.default_rng(0))
    assert changed.dtype == np.float32
    np.testing.assert_allclose(changed, louder, atol=2e-4)
    assert not np.allclose(plain, louder, atol=0.5)


@pytest.mark.parametrize("color", ["white", "pink", "brown"])
@pytest.mark.parametrize("snr", [-5.0, 20.0])
def test_snr(color: str, snr: float) -> None:
    noise = applied(Noise(min_snr=snr, max_snr=snr, colors=[color])).astype(np.float64) - WAVE
    assert 10 * np.log10(np.mean(WAVE.astype(np.float64) ** 2) / np.mean(noise**2)) == pytest.approx(snr, abs=0.01)


@pytest.mark.parametrize(("color", "db_per_octave"), [("white", 0.0), ("pink", -3.01), ("brown", -6.02)])
def test_color(color: str, db_per_octave: float) -> None:
    """Slope of Welch's spectrum between 100 Hz and 6 kHz."""
    wave = np.ones(20 * RATE, np.float32)
    noise = applied(Noise(min_snr=0, max_snr=0, colors=[color]), 0, wave).astype(np.float64) - wave
    hz, power = scipy.signal.welch(noise, RATE, nperseg=4096)
    band = (hz > 100) & (hz < 6000)
    slope = np.polyfit(np.log2(hz[band]), 10 * np.log10(power[band]), 1)[0]
    assert slope == pytest.approx(db_per_octave, abs=0.15)
    below = power[(hz > 0) & (hz < 12)].sum() / power.sum()
    assert below < (0.003 if color == "white" else 0.02)


@pytest.mark.parametrize("color", ["white", "pink", "brown"])
@pytest.mark.parametrize("wave", [np.zeros(400, np.float32), np.ones(1, np.float32), np.ones(2, np.float32)])
def test_silent_and_shortest_waves(color: str, wave: np.ndarray) -> None:
    noisy = applied(Noise(colors=[color]), 0, wave)
    assert noisy.shape == wave.shape
    assert np.isfinite(noisy).all()
    assert wave.any() or not noisy.any()
    assert len(applied(Speed(factors=[2.0]), 0, wave)) >= 1


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 1.25, 2.0])
def test_speed_has_torchaudios_length_and_sox_pitch(factor: float) -> None:
    hz = 500.0
    tone = np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32)
    faster = applied(Speed(factors=[factor]), 0, tone)
    theirs, _ = torchaudio.functional.speed(torch.from_numpy(tone), RATE, factor)
    assert abs(len(faster) - len(theirs)) <= 1
    expected = np.sin(2 * np.pi * hz * factor * np.arange(len(faster)) / RATE)
    middle = slice(1000, -1000)
    np.testing.assert_allclose(faster[middle], expected[middle], atol=2e-3)


def test_speeds_are_drawn_from_the_list() -> None:
    lengths = {len(applied(Speed(factors=[0.8, 1.0, 1.25]), seed)) for seed in range(30)}
    assert lengths == {20000, 16000, 12800}
    assert np.array_equal(applied(Speed(factors=[1.0])), WAVE)
