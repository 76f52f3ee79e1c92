"""Trained models on waves and files."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_model import FEATURE, make_model

from espnet2_ext.errors import UserError
from espnet2_ext.feature import build_feature
from espnet2_ext.inference import MTLInference
from espnet2_ext.inference.mtl_inference import as_mono

ROOT = Path(__file__).parents[3]


def burst(seconds: float, rate: int = 16000, seed: int = 0) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(size=len(time))
    return (0.3 * np.sin(2 * np.pi * 220 * time) * np.exp(-2 * time) + 0.01 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "exp"
    make_model(path)
    return path


def test_same_as_the_model_on_dumped_features(exp: Path) -> None:
    """By hand: features of stage 2, the middle 50 frames, the network, the task's unit."""
    inference = MTLInference.from_pretrained(exp)
    wave = burst(1.0)
    feats = build_feature(**FEATURE).extract([wave], 16000)[0]
    start = (len(feats) - 50 + 1) // 2
    import torch

    with torch.no_grad():
        outputs = inference.model.outputs(torch.from_numpy(feats[None, start : start + 50]))
    record = inference(wave, 16000)
    assert list(record["emotion"].values()) == pytest.approx(outputs["emotion"][0].tolist(), abs=1e-6)
    assert record["age"]["age"] == pytest.approx(30.0 + float(outputs["age"][0, 0]), abs=1e-5)
    probabilities = torch.softmax(outputs["country"][0], 0).tolist()
    assert list(record["country"]["probabilities"].values()) == pytest.approx(probabilities, abs=1e-6)
    assert record["country"]["class"] == ("here", "there")[int(np.argmax(probabilities))]
    notes = {"frames": len(feats), "clipped": len(feats) - 50, "padded": 0, "resampled": False, "mixed_down": False}
    assert record["notes"] == notes


def test_short_wave_is_padded(exp: Path) -> None:
    notes = MTLInference.from_pretrained(exp)(burst(0.2), 16000)["notes"]
    assert notes["padded"] == 50 - notes["frames"] > 0


def test_integers_and_channels() -> None:
    wave, notes = as_mono(np.array([[16384, 0], [-32768, 0]], dtype=np.int16), 16000, 16000)
    np.testing.assert_allclose(wave, [0.25, -0.5])
    assert notes == {"resampled": False, "mixed_down": True}


def test_resampled_tone_keeps_its_pitch() -> None:
    wave, notes = as_mono(np.sin(2 * np.pi * 440 * np.arange(48000) / 48000), 48000, 16000)
    assert notes["resampled"]
    assert len(wave) == 16000
    assert np.argmax(np.abs(np.fft.rfft(wave))) == 440


@pytest.mark.parametrize("speech", [np.zeros(0), np.zeros((2, 2, 2)), np.array([0.0, np.nan])])
def test_bad_waves(exp: Path, speech: np.ndarray) -> None:
    with pytest.raises(UserError, match="speech"):
        MTLInference.from_pretrained(exp)(speech, 16000)


def test_batch_equals_one_by_one_where_whole_utterances_are_pooled(tmp_path: Path) -> None:
    make_model(tmp_path / "exp", evaluation="whole")
    inference = MTLInference.from_pretrained(tmp_path / "exp")
    waves = [burst(seconds, seed=i) for i, seconds in enumerate((0.9, 0.3, 1.7))]
    together, _ = inference.predict_waves(waves)
    for i, wave in enumerate(waves):
        alone, _ = inference.predict_waves([wave])
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][i], value[0], atol=1e-5, err_msg=name)


def test_files_of_all_kinds_and_broken_ones(exp: Path, tmp_path: Path) -> None:
    files = tmp_path / "clips"
    files.mkdir()
    for name in ("a.wav", "b.flac", "c.ogg", "d.mp3"):
        soundfile.write(files / name, burst(0.8), 16000)
    soundfile.write(files / "e.wav", np.stack([burst(0.8, 96000)] * 2, axis=1), 96000)
    (files / "f.wav").write_text("this is no audio")
    (files / "g.wav").write_bytes(b"")
    soundfile.write(files / "h.wav", burst(65.0), 16000)
    command = [sys.executable, "-m", "espnet2_ext.bin.mtl_inference", "--model", exp, "--batch-size", "3"]
    results = {}
    for out in ("out.jsonl", "out.csv"):
        result = subprocess.run([*command, "--out", tmp_path / out, files], capture_output=True, text=True, cwd=ROOT)
        assert result.returncode == 1
        errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert [any(name in line for line in errors) for name in ("f.wav", "g.wav")] == [True, True]
        assert len(errors) == 2
        results[out] = (tmp_path / out).read_text().splitlines()
    records = {Path(json.loads(line)["utt"]).name: json.loads(line) for line in results["out.jsonl"]}
    assert sorted(records) == ["a", "b", "c", "d", "e", "h"]
    assert records["e"]["notes"]["resampled"]
    assert records["e"]["notes"]["mixed_down"]
    # 50 frames of 10 ms are half a second.
    assert records["h"]["notes"] == {"windows": 130}
    assert records["b"]["age"]["age"] == pytest.approx(records["a"]["age"]["age"], abs=1e-3)
    rows = list(csv.DictReader(results["out.csv"]))
    assert [Path(row["utt"]).name for row in rows] == sorted(records)
    assert float(rows[0]["age.age"]) == records["a"]["age"]["age"]
    assert rows[0]["country"] == records["a"]["country"]["class"]


def test_windows_are_averaged(exp: Path, tmp_path: Path) -> None:
    wave = burst(31.0)
    soundfile.write(tmp_path / "long.wav", wave, 16000, subtype="FLOAT")
    inference = MTLInference.from_pretrained(exp)
    [(_, record)] = inference.predict_files({"long": tmp_path / "long.wav"})
    ages = [inference(wave[start : start + 8000], 16000)["age"]["age"] for start in range(0, len(wave), 8000)]
    assert record["notes"] == {"windows": len(ages)}
    assert record["age"]["age"] == pytest.approx(np.mean(ages), abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "x.txt", "a.wav"], "ends in .jsonl or .csv"),
        (["--out", "x.csv", "pipes.scp"], "holds a pipe"),
        (["--out", "x.csv", "empty"], "holds no .wav"),
    ],
)
def test_bad_calls(exp: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "pipes.scp").write_text("utt touch ran |\n")
    (tmp_path / "empty").mkdir()
    command = [sys.executable, "-m", "espnet2_ext.bin.mtl_inference", "--model", str(exp), *arguments]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert result.returncode == 1
    assert message in result.stderr.splitlines()[-1]
    assert not (tmp_path / "ran").exists()
