"""Log-mel spectrograms against librosa, torchaudio and a discrete Fourier transform written out in float64."""

import librosa
import numpy as np
import pytest
import torch
import torchaudio
from speech_like import speech_like

from espnet2_ext.errors import UserError
from espnet2_ext.feature.log_mel import LogMel
from espnet2_ext.feature.mel import hz_triangles

RATE = 16000


def by_librosa(wave: np.ndarray, feature: LogMel) -> np.ndarray:
    """The same options for librosa, in float64."""
    mel = librosa.feature.melspectrogram(
        y=wave.astype(np.float64),
        sr=feature.sample_rate,
        n_fft=feature.n_fft,
        win_length=feature.win_length,
        hop_length=feature.hop_length,
        center=feature.center,
        pad_mode=feature.pad_mode,
        power=feature.power,
        n_mels=feature.n_mels,
        fmin=feature.fmin,
        fmax=feature.fmax,
        htk=feature.mel_scale == "htk",
        norm="slaney" if feature.mel_norm == "slaney" else None,
    )
    return np.log(np.maximum(mel, feature.floor)).T


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pad_mode": "reflect"},
        {"center": False},
        {"mel_scale": "htk", "mel_norm": "none", "fmin": 0.0},
        {"power": 1.0},
        {"n_fft": 1024, "win_length": 400, "hop_length": 100, "n_mels": 128, "fmin": 0.0},
        {"win_length": 401},
        {"n_fft": 2048, "win_length": 1200, "hop_length": 512, "n_mels": 23, "fmax": 4000.0},
        {"hop_length": 78},  # 512 frames in 2.5 s
    ],
)
def test_equals_librosa(options: dict) -> None:
    feature = LogMel(**options)
    for seed, seconds in enumerate((3.7, 0.5)):
        wave = speech_like(seconds, seed=seed)
        ours = feature.extract([wave], RATE)[0]
        theirs = by_librosa(wave, feature)
        assert ours.shape == theirs.shape
        assert ours.dtype == np.float32
        # Where a filter's output is 1e-7 of the frame's power, float32 leaves some 1e-4 of its logarithm.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)
        assert np.abs(ours - theirs).mean() < 1e-5


def test_decibels_are_those_of_librosa() -> None:
    wave = speech_like(1.0)
    mel = np.exp(by_librosa(wave, LogMel()))
    expected = librosa.power_to_db(mel.T, amin=1e-10, top_db=None).T
    np.testing.assert_allclose(LogMel(log="db").extract([wave], RATE)[0], expected, atol=1e-2)
    magnitude = np.exp(by_librosa(wave, LogMel(power=1.0)))
    np.testing.assert_allclose(
        LogMel(log="db", power=1.0).extract([wave], RATE)[0], 20 * np.log10(magnitude), atol=1e-2
    )


def test_equals_torchaudio() -> None:
    wave = speech_like(2.0)
    transform = torchaudio.transforms.MelSpectrogram(
        RATE, 512, 512, 160, f_min=50.0, f_max=8000.0, n_mels=64, norm="slaney", mel_scale="slaney"
    )
    theirs = transform(torch.from_numpy(wave)).clamp(min=1e-10).log().T.numpy()
    ours = LogMel(pad_mode="reflect").extract([wave], RATE)[0]
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_one_frame_by_hand() -> None:
    """Frame 20 from the definition alone: window, transform, triangles, logarithm."""
    wave = speech_like(1.0).astype(np.float64)
    n = np.arange(512)
    frame = wave[20 * 160 - 256 : 20 * 160 + 256] * (0.5 - 0.5 * np.cos(2 * np.pi * n / 512))
    power = np.abs(np.exp(-2j * np.pi * np.outer(np.arange(257), n) / 512) @ frame) ** 2

    def mel(hz: float) -> float:
        return hz * 3 / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)

    def hz(value: float) -> float:
        return value * 200 / 3 if value < 15 else 1000 * np.exp((value - 15) * np.log(6.4) / 27)

    edges = [hz(mel(50) + (mel(8000) - mel(50)) * i / 65) for i in range(66)]
    expected = []
    for left, peak, right in zip(edges, edges[1:], edges[2:], strict=False):
        total = 0.0
        for k in range(257):
            f = k * 31.25
            height = min((f - left) / (peak - left), (right - f) / (right - peak))
            total += power[k] * max(0.0, height) * 2 / (right - left)
        expected.append(np.log(max(total, 1e-10)))
    np.testing.assert_allclose(LogMel().extract([wave.astype(np.float32)], RATE)[0][20], expected, atol=1e-3)


@pytest.mark.parametrize("htk", [False, True])
@pytest.mark.parametrize("norm", ["slaney", None])
def test_filters_are_librosas(htk: bool, norm: str | None) -> None:
    theirs = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=30, fmax=9000, htk=htk, norm=norm)
    ours = hz_triangles(22050, 1024, 80, 30, 9000, "htk" if htk else "slaney", norm == "slaney")
    np.testing.assert_allclose(ours.T, theirs, rtol=1e-5, atol=1e-8)


def test_together_equals_one_by_one() -> None:
    rng = np.random.default_rng(0)
    waves = [speech_like(seconds, seed=i) for i, seconds in enumerate(rng.uniform(0.02, 4.0, 40))]
    feature = LogMel()
    together = feature.extract(waves, RATE)
    for wave, matrix in zip(waves, together, strict=True):
        np.testing.assert_allclose(matrix, feature.extract([wave], RATE)[0], rtol=0, atol=1e-6)
    for wave, matrix in zip(reversed(waves), feature.extract(waves[::-1], RATE), strict=True):
        np.testing.assert_allclose(matrix, feature.extract([wave], RATE)[0], rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:n_fft=512 is too large")
@pytest.mark.parametrize("samples", [1, 100, 159, 160, 256, 511])
def test_shorter_than_a_window(samples: int) -> None:
    wave = speech_like(1.0)[:samples]
    for mode in ("constant", "reflect"):
        feature = LogMel(pad_mode=mode)
        matrix = feature.extract([wave, wave], RATE)[1]
        assert matrix.shape == (1 + samples // 160, 64)
        assert np.isfinite(matrix).all()
    np.testing.assert_allclose(LogMel().extract([wave], RATE)[0], by_librosa(wave, LogMel()), atol=1e-3)
    assert LogMel(center=False).extract([wave], RATE)[0].shape == (0, 64)


def test_silence_is_the_floor() -> None:
    silence = np.zeros(RATE, np.float32)
    np.testing.assert_allclose(LogMel().extract([silence], RATE)[0], np.log(1e-10), rtol=1e-6)
    np.testing.assert_allclose(LogMel(log="db", floor=1e-8).extract([silence], RATE)[0], -80.0, rtol=1e-6)


def test_what_it_says_of_itself() -> None:
    feature = LogMel(n_mels=40, hop_length=80)
    assert (feature.name, feature.dim, feature.frame_shift) == ("log_mel", 40, 0.005)
    assert feature.config()["hop_length"] == 80
    assert LogMel(**{k: v for k, v in feature.config().items() if k != "name"}).config() == feature.config()


def test_another_rate_is_refused() -> None:
    with pytest.raises(UserError, match="takes 16000 Hz, not 8000"):
        LogMel().extract([np.zeros(800, np.float32)], 8000)
    with pytest.raises(ValueError, match="shape"):
        LogMel().extract([np.zeros((2, 800), np.float32)], RATE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"win_length": 600}, "win_length 600"),
        ({"fmax": 9000.0}, "fmax 9000"),
        ({"fmin": 8000.0}, "fmin 8000"),
        ({"power": 3.0}, "power"),
        ({"mel_scale": "bark"}, "one of slaney, htk"),
        ({"pad_mode": "edge"}, "pad_mode"),
        ({"n_mels": 256}, "without a bin"),
        ({"hop_length": 0}, "positive"),
        ({"floor": 0.0}, "floor"),
    ],
)
def test_bad_options(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        LogMel(**options)
