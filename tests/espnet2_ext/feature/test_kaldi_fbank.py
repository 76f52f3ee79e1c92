"""Filter-bank energies against Kaldi's own code (kaldi-native-fbank) and torchaudio's port of it."""

import kaldi_native_fbank
import numpy as np
import pytest
import torch
import torchaudio
from speech_like import speech_like

from espnet2_ext.errors import UserError
from espnet2_ext.feature.kaldi_fbank import KaldiFbank

RATE = 16000


def by_kaldi(wave: np.ndarray, feature: KaldiFbank) -> np.ndarray:
    options = kaldi_native_fbank.FbankOptions()
    frame, mel = options.frame_opts, options.mel_opts
    frame.samp_freq, frame.dither = feature.sample_rate, 0.0
    frame.frame_length_ms, frame.frame_shift_ms = feature.frame_length_ms, feature.frame_shift_ms
    frame.preemph_coeff, frame.remove_dc_offset = feature.preemphasis, feature.remove_dc_offset
    frame.window_type, frame.snip_edges = feature.window_type, feature.snip_edges
    mel.num_bins, mel.low_freq, mel.high_freq = feature.num_mel_bins, feature.low_freq, feature.high_freq
    options.use_power = feature.use_power
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(feature.sample_rate, wave * 32768)
    bank.input_finished()
    return np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])


def by_torchaudio(wave: np.ndarray, feature: KaldiFbank) -> np.ndarray:
    return torchaudio.compliance.kaldi.fbank(
        torch.from_numpy(wave)[None] * 32768,
        sample_frequency=feature.sample_rate,
        dither=0.0,
        frame_length=feature.frame_length_ms,
        frame_shift=feature.frame_shift_ms,
        preemphasis_coefficient=feature.preemphasis,
        remove_dc_offset=feature.remove_dc_offset,
        window_type=feature.window_type,
        snip_edges=feature.snip_edges,
        num_mel_bins=feature.num_mel_bins,
        low_freq=feature.low_freq,
        high_freq=feature.high_freq,
        use_power=feature.use_power,
    ).numpy()


OPTIONS = [
    {},
    {"num_mel_bins": 64},
    {"high_freq": -400.0, "low_freq": 80.0},
    {"snip_edges": False},
    {"remove_dc_offset": False},
    {"preemphasis": 0.0},
    {"preemphasis": 1.0},
    {"window_type": "hanning"},
    {"use_power": False},
    {"frame_length_ms": 32.0, "frame_shift_ms": 12.0},
    {"frame_length_ms": 20.0, "frame_shift_ms": 30.0, "num_mel_bins": 40},
    {"frame_length_ms": 20.0, "frame_shift_ms": 30.0, "num_mel_bins": 40, "snip_edges": False},
    {"sample_rate": 8000, "num_mel_bins": 23},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_equals_kaldi_and_torchaudio(options: dict) -> None:
    feature = KaldiFbank(**options)
    wave = speech_like(4.0, rate=feature.sample_rate)
    ours = feature.extract([wave], feature.sample_rate)[0]
    for theirs, tolerance in ((by_kaldi(wave, feature), 1e-2), (by_torchaudio(wave, feature), 2e-3)):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)


def test_together_equals_one_by_one() -> None:
    waves = [speech_like(seconds, seed=i) for i, seconds in enumerate((0.01, 0.3, 2.0, 0.025, 5.1, 0.4))]
    for options in ({}, {"snip_edges": False}):
        feature = KaldiFbank(**options)
        for wave, matrix in zip(waves, feature.extract(waves, RATE), strict=True):
            np.testing.assert_allclose(matrix, feature.extract([wave], RATE)[0], rtol=0, atol=1e-6)


def test_shorter_than_a_window() -> None:
    wave = speech_like(1.0)
    counts = [len(m) for m in KaldiFbank().extract([wave[:1], wave[:399], wave[:400], wave[:560]], RATE)]
    assert counts == [0, 0, 1, 2]
    rounded = KaldiFbank(snip_edges=False)
    assert [len(m) for m in rounded.extract([wave[:79], wave[:80], wave[:399]], RATE)] == [0, 1, 2]
    np.testing.assert_allclose(rounded.extract([wave[:399]], RATE)[0], by_kaldi(wave[:399], rounded), atol=1e-2)


def test_silence_is_kaldis_floor() -> None:
    matrix = KaldiFbank().extract([np.zeros(RATE, np.float32)], RATE)[0]
    np.testing.assert_allclose(matrix, np.log(np.float32(1.1920929e-07)), rtol=1e-6)


def test_dither_is_small_reproducible_noise() -> None:
    silence = np.zeros(RATE, np.float32)
    feature = KaldiFbank(dither=1.0, window_type="hanning", preemphasis=0.0, remove_dc_offset=False)
    first, second = feature.extract([silence, silence], RATE)
    np.testing.assert_array_equal(first, second)
    # White noise of variance 1: a power bin's mean is the window's energy, 3/8 of 399 samples for a Hann window, and a
    # filter sums about half as many bins as it spans.
    wide = np.exp(first[:, -1]).mean()
    mel = 1127 * np.log(1 + np.array([20.0, 8000.0]) / 700)
    edges = 700 * (np.exp(np.linspace(mel[0], mel[1], 82)[-3:] / 1127) - 1)
    bins = (edges[2] - edges[0]) / 2 / 31.25
    assert wide == pytest.approx(0.375 * 399 * bins, rel=0.15)


def test_what_it_says_of_itself() -> None:
    feature = KaldiFbank(num_mel_bins=40, frame_shift_ms=12.5)
    assert (feature.name, feature.dim, feature.frame_shift) == ("kaldi_fbank", 40, 0.0125)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window_type": "blackman"}, "povey or hanning"),
        ({"preemphasis": 1.5}, "preemphasis"),
        ({"dither": -1.0}, "dither"),
        ({"high_freq": 9000.0}, "high_freq 9000"),
        ({"low_freq": 8000.0}, "low_freq"),
        ({"frame_shift_ms": 0.0}, "positive"),
        ({"num_mel_bins": 0}, "positive"),
        ({"num_mel_bins": 200}, "without a bin"),
    ],
)
def test_bad_options(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        KaldiFbank(**options)
