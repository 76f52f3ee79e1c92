import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from speech_like import speech_like

from espnet2_ext.errors import UserError
from espnet2_ext.feature import FEATURES, build_feature, load_feature

RATE = 16000


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_the_configuration_builds_the_same_feature(name: str, tmp_path: Path) -> None:
    # What has no default.
    feature = build_feature(name, **({"model": "a/folder", "layers": [1, 2]} if name == "hidden_states" else {}))
    path = tmp_path / "feature.yaml"
    path.write_text(yaml.safe_dump(feature.config()))
    again = load_feature(path)
    assert type(again) is type(feature)
    assert again.config() == feature.config()
    assert feature.config()["name"] == feature.name == name


def test_numbers_as_yaml_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "feature.yaml"
    path.write_text("name: log_mel\nfloor: 1e-8\nfmin: 0\nn_mels: 40\ncenter: false\n")
    config = load_feature(path).config()
    assert (config["floor"], config["fmin"], config["n_mels"], config["center"]) == (1e-8, 0.0, 40, False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: mfcc", "unknown; use one of log_mel, kaldi_fbank, opensmile, raw"),
        ("name: log_mel\nn_mel: 40", "no option 'n_mel'; use one of sample_rate, n_mels"),
        ("name: log_mel\nn_mels: 40.5", "n_mels: 40.5 is no int"),
        ("name: log_mel\nn_mels: true", "n_mels: True is no int"),
        ("name: log_mel\nfmin: low", "fmin: 'low' is no float"),
        ("name: log_mel\ncenter: 1", "center: 1 is no bool"),
        ("n_mels: 40", "holds no mapping with a name"),
        ("- log_mel", "holds no mapping with a name"),
        ("name: [", "is no YAML"),
        ("name: !!python/object/apply:os.system ['touch was_run']", "is no YAML"),
        (None, "cannot be read"),
    ],
)
def test_bad_configurations_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("feature.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        load_feature("feature.yaml")
    assert words in str(caught.value)
    assert "feature.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("was_run").exists()


def test_raw_is_the_wave() -> None:
    wave = speech_like(0.5)
    feature = build_feature("raw")
    np.testing.assert_array_equal(feature.extract([wave], RATE)[0], wave[:, None])
    assert (feature.dim, feature.frame_shift) == (1, 1 / RATE)


@pytest.mark.parametrize(("feature_set", "dim"), [("eGeMAPSv02", 88), ("ComParE_2016", 6373)])
def test_functionals_are_opensmiles(feature_set: str, dim: int) -> None:
    opensmile = pytest.importorskip("opensmile")
    waves = [speech_like(1.0, seed=seed) for seed in (1, 2)]
    feature = build_feature("opensmile", feature_set=feature_set)
    matrices = feature.extract(waves, RATE)
    smile = opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel.Functionals)
    for wave, matrix in zip(waves, matrices, strict=True):
        assert matrix.shape == (1, dim) == (1, feature.dim)
        np.testing.assert_array_equal(matrix[0], smile.process_signal(wave, RATE).to_numpy(np.float32)[0])
    assert not np.array_equal(*matrices)


def test_without_opensmile_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(UserError, match=r"tools/install\.sh --extras baseline"):
        build_feature("opensmile").extract([speech_like(0.5)], RATE)


def test_a_job_imports_neither_torch_nor_espnet() -> None:
    code = (
        "import sys, espnet2_ext.bin.make_feats; print([m for m in ('torch', 'espnet', 'librosa') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
