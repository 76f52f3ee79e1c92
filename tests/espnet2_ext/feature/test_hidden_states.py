"""Hidden states as features: against transformers, and through the archives of one extraction job."""

from pathlib import Path
from typing import Any

import kaldi_native_io
import kaldiio
import numpy as np
import pytest
import soundfile
import torch
import transformers
import yaml
from speech_like import speech_like
from tiny_ssl import make_ssl

from espnet2_ext.bin import make_feats
from espnet2_ext.errors import UserError
from espnet2_ext.feature import build_feature
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.fileio.audio import load_audio

RATE = 16000


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], tuple[Path, torch.nn.Module]]:
    root = tmp_path_factory.mktemp("models")
    kinds = [("wav2vec2", True), ("wav2vec2", False), ("wavlm", True)]
    return {key: (root / f"{key[0]}{key[1]}", make_ssl(root / f"{key[0]}{key[1]}", *key)) for key in kinds}


@pytest.fixture(scope="module")
def folder(models: Any) -> Path:
    return models["wav2vec2", True][0]


def by_transformers(model: torch.nn.Module, wave: np.ndarray) -> list[np.ndarray]:
    """What enters the transformer, and the layers' outputs, (T, D) each."""
    values = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)(wave, sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        out = model(values["input_values"].float(), output_hidden_states=True)
    return [state[0].numpy() for state in (*out.hidden_states[:-1], out.last_hidden_state)]


@pytest.mark.parametrize("kind", [("wav2vec2", True), ("wav2vec2", False), ("wavlm", True)])
def test_layers_side_by_side_are_those_of_transformers(models: Any, kind: tuple[str, bool]) -> None:
    folder, model = models[kind]
    waves = [0.3 + speech_like(0.1, RATE, 1), speech_like(0.05, RATE, 2)]
    feature = build_feature("hidden_states", model=str(folder))
    assert (feature.dim, feature.frame_shift) == (4 * 16, 20 / RATE)
    for wave, found in zip(waves, feature.extract(waves, RATE), strict=True):
        wanted = by_transformers(model, wave)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, np.concatenate(wanted, axis=1), rtol=1e-5, atol=1e-5)
    some = build_feature("hidden_states", model=str(folder), layers=[1, 2], source="torchaudio")
    np.testing.assert_allclose(some.extract(waves, RATE)[0], found_layers(model, waves[0], 1, 2), rtol=1e-5, atol=1e-5)


def found_layers(model: torch.nn.Module, wave: np.ndarray, *numbers: int) -> np.ndarray:
    states = by_transformers(model, wave)
    return np.concatenate([states[number] for number in numbers], axis=1)


def test_shorter_than_a_frame_is_filled_up(folder: Path) -> None:
    feature = build_feature("hidden_states", model=str(folder))
    assert feature.extract([speech_like(0.1, RATE)[:7]], RATE)[0].shape == (1, 64)


def test_configuration_names_the_layers_and_no_device(folder: Path) -> None:
    config = build_feature("hidden_states", model=str(folder), device="cpu").config()
    assert config == {
        "name": "hidden_states", "sample_rate": RATE, "model": str(folder), "revision": "", "layers": [0, 1, 2, 3],
        "source": "transformers", "compression": 3,
    }  # fmt: skip
    assert build_feature(**config).config() == config


def run(conf: dict[str, Any]) -> None:
    feature = build_feature("hidden_states", **conf)
    feature.extract([speech_like(0.1, feature.sample_rate)], feature.sample_rate)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "model is missing"),
        ({"model": "nowhere"}, "no such folder"),
        ({"model": "org/name"}, "give its commit as revision"),
        ({"layers": [2, 1]}, "layers [2, 1] is no list of numbers"),
        ({"layers": [1, True]}, "is no list of numbers"),
        ({"layers": [4]}, "has 0 to 3"),
        ({"sample_rate": 8000}, "takes 16000 Hz"),
        ({"compression": 2}, "compression 2 is not 3 or 0"),
        ({"source": "elsewhere"}, "source is transformers or torchaudio"),
        ({"device": "cuda:1"}, "not one of cpu, cuda"),
    ],
)
def test_refused_in_one_line(folder: Path, options: dict[str, Any], words: str) -> None:
    conf = ({"model": str(folder)} if options else {}) | options
    with pytest.raises(UserError) as caught:
        run(conf)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "encoder_conf" not in str(caught.value)


def extract(where: Path, folder: Path, **options: Any) -> dict[str, np.ndarray]:
    """Run a job over three files; return what the reader finds."""
    files = {}
    for number in range(3):
        files[f"u{number}"] = where / f"{number}.wav"
        soundfile.write(files[f"u{number}"], speech_like(0.2 + 0.1 * number, RATE, number), RATE)
    (where / "wav.scp").write_text("".join(f"{name} {path}\n" for name, path in files.items()))
    (where / "f.yaml").write_text(yaml.safe_dump({"name": "hidden_states", "model": str(folder), **options}))
    make_feats.main(["--wav-scp", f"{where}/wav.scp", "--feature", f"{where}/f.yaml", "--out-ark", f"{where}/a.ark",
                     "--out-scp", f"{where}/a.scp"])  # fmt: skip
    reader = ArkReader(where / "a.scp")
    return {name: reader[name] for name in reader.keys()}  # noqa: SIM118 (a reader, not a dict)


def test_arks_of_two_bytes_a_value(folder: Path, tmp_path: Path) -> None:
    """Half of 1/65535 of the span at most, and what float32 rounds; the file holds two bytes a value."""
    found = extract(tmp_path, folder)
    feature, theirs = build_feature("hidden_states", model=str(folder)), kaldiio.load_scp(str(tmp_path / "a.scp"))
    size = 0
    with kaldi_native_io.RandomAccessFloatMatrixReader(f"scp:{tmp_path}/a.scp") as kaldi:
        for name, matrix in found.items():
            exact = feature.extract([load_audio(tmp_path / f"{name[1:]}.wav", RATE)[0]], RATE)[0]
            span = exact.max() - exact.min()
            error = np.abs(matrix.astype(np.float64) - exact).max()
            assert 0 < error <= span / 65535 * 0.501 + 1e-6
            np.testing.assert_array_equal(matrix, theirs[name])
            np.testing.assert_allclose(matrix, kaldi[name], rtol=0, atol=1e-6 * span)
            size += 2 * matrix.size + 22 + len(name) + 1
    data = (tmp_path / "a.ark").read_bytes()
    assert data[3:9] == b"\0BCM2 "
    assert len(data) == size


def test_arks_of_float32(folder: Path, tmp_path: Path) -> None:
    found = extract(tmp_path, folder, compression=0, layers=[3])
    feature = build_feature("hidden_states", model=str(folder), layers=[3])
    for name, matrix in found.items():
        exact = feature.extract([load_audio(tmp_path / f"{name[1:]}.wav", RATE)[0]], RATE)[0]
        np.testing.assert_array_equal(matrix, exact)
