"""Trained models on waves."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_model import FEATURE, burst, make_model

from espnet2_ext.errors import UserError
from espnet2_ext.feature import build_feature
from espnet2_ext.fileio.audio import load_audio
from espnet2_ext.inference import MTLInference
from espnet2_ext.inference.waves import as_mono


def test_same_as_the_model_by_hand(inference: MTLInference) -> None:
    """Features of stage 2, the middle 50 frames, the network, the task's unit."""
    wave = burst(1.0)
    feats = build_feature(**FEATURE).extract([wave], 16000)[0]
    start = (len(feats) - 50 + 1) // 2
    with torch.no_grad():
        outputs = inference.model.outputs(torch.from_numpy(feats[None, start : start + 50]))
    record = inference(wave, 16000)
    assert list(record["emotion"].values()) == pytest.approx(outputs["emotion"][0].tolist(), abs=1e-6)
    assert record["age"]["age"] == pytest.approx(30.0 + float(outputs["age"][0, 0]), abs=1e-5)
    logits = outputs["country"][0].double().numpy()
    probabilities = np.exp(logits) / np.exp(logits).sum()
    assert list(record["country"]["probabilities"].values()) == pytest.approx(probabilities.tolist(), abs=1e-6)
    assert record["country"]["class"] == ("here", "there")[int(np.argmax(probabilities))]
    assert record["notes"] == {
        "units": {"age": "years"}, "frames": len(feats), "clipped": len(feats) - 50, "padded": 0,
    }  # fmt: skip
    assert set(record) == {"emotion", "age", "country", "notes"}


def test_short_wave_is_repeated(inference: MTLInference) -> None:
    wave = burst(0.2)
    record = inference(wave, 16000)
    feats = build_feature(**FEATURE).extract([wave], 16000)[0]
    assert record["notes"]["padded"] == 50 - len(feats) > 0
    repeated = np.concatenate([feats] * 3)[:50]
    with torch.no_grad():
        age = float(inference.model.outputs(torch.from_numpy(repeated[None]))["age"][0, 0])
    assert record["age"]["age"] == pytest.approx(30.0 + age, abs=1e-5)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
def test_integers_are_scaled_and_channels_averaged(dtype: str) -> None:
    info = np.iinfo(dtype)
    middle = (int(info.max) + int(info.min) + 1) // 2
    half = int(info.max) - middle + 1
    samples = np.array([[middle + half // 2, middle], [middle - half, middle]], dtype=dtype)
    wave, notes = as_mono(samples, 16000, 16000)
    assert wave.dtype == np.float32
    np.testing.assert_array_equal(wave, [0.25, -0.5])
    assert notes == {"mixed_down_from": 2}


def test_samples_of_a_file_give_its_features(inference: MTLInference, tmp_path: Path) -> None:
    stereo = np.stack([burst(0.7, 22050), burst(0.7, 22050, seed=1)], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, 22050, subtype="PCM_16")
    samples, rate = soundfile.read(tmp_path / "a.wav", dtype="int16")
    np.testing.assert_array_equal(as_mono(samples, rate, 16000)[0], load_audio(tmp_path / "a.wav", 16000)[0])
    notes = inference(samples, rate)["notes"]
    assert (notes["resampled_from"], notes["mixed_down_from"]) == (22050, 2)


def test_resampled_tone_keeps_its_pitch() -> None:
    wave, notes = as_mono(np.sin(2 * np.pi * 440 * np.arange(96000) / 96000), 96000, 16000)
    assert notes == {"resampled_from": 96000}
    assert len(wave) == 16000
    assert np.argmax(np.abs(np.fft.rfft(wave))) == 440


@pytest.mark.parametrize(
    ("speech", "rate", "message"),
    [
        (np.zeros(0), 16000, "speech of shape"),
        (np.zeros((2, 2, 2)), 16000, "speech of shape"),
        (np.zeros((2, 16000)), 16000, "transpose"),
        (np.array(["a"]), 16000, "give numbers"),
        (np.array([0.0, np.nan]), 16000, "NaN"),
        (np.array([0.0, 1e300]), 16000, "infinity"),
        (np.zeros(16000), 0, "at 0 Hz"),
    ],
)
def test_bad_waves(inference: MTLInference, speech: np.ndarray, rate: int, message: str) -> None:
    with pytest.raises(UserError, match=message), np.errstate(over="ignore"):
        inference(speech, rate)


def test_batches(inference: MTLInference) -> None:
    waves = [burst(seconds, seed=i) for i, seconds in enumerate((0.9, 0.3))]
    together = inference.predict_batch([*waves, np.repeat(waves[0], 2)], [16000, 16000, 32000])
    assert [record["notes"].get("resampled_from") for record in together] == [None, None, 32000]
    for record, wave in zip(together, waves, strict=False):
        assert record["age"]["age"] == pytest.approx(inference(wave, 16000)["age"]["age"], rel=1e-6)
    assert inference.predict_batch([], 16000) == []
    with pytest.raises(UserError, match="1 rates for 2 waves"):
        inference.predict_batch(waves, [16000])


def test_batch_equals_one_by_one_where_whole_utterances_are_pooled(tmp_path: Path) -> None:
    make_model(tmp_path / "exp", evaluation="whole")
    inference = MTLInference.from_pretrained(tmp_path / "exp")
    features = inference.features([burst(seconds, seed=i) for i, seconds in enumerate((0.9, 0.3, 1.7))])
    together, _ = inference.predict_features(features)
    for row, feats in enumerate(features):
        alone, _ = inference.predict_features([feats])
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][row], value[0], atol=1e-5, err_msg=name)


def test_wrong_device(exp: Path) -> None:
    with pytest.raises(UserError, match="--device nowhere: cannot be used here") as caught:
        MTLInference.from_pretrained(exp, device="nowhere")
    assert len(str(caught.value).splitlines()) == 1


def test_automatic_device(exp: Path) -> None:
    inference = MTLInference.from_pretrained(exp, device="auto")
    assert inference.device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert next(inference.model.parameters()).device.type == inference.device
