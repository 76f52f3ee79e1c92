"""One extraction job, from wav.scp to an archive."""

import json
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import soundfile
from speech_like import speech_like

from espnet2_ext.bin import make_feats
from espnet2_ext.errors import UserError
from espnet2_ext.feature import build_feature
from espnet2_ext.fileio.audio import load_audio
from espnet2_ext.fileio.table import read_table

RATE = 16000
ARGS = ["--wav-scp", "wav.scp", "--feature", "f.yaml", "--out-ark", "out/a.ark", "--out-scp", "out/a.scp"]


@pytest.fixture
def waves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Twelve files: more than one batch, one at 48 kHz, one at 8 kHz in stereo, one flac."""
    monkeypatch.chdir(tmp_path)
    files = {}
    for number in range(12):
        wave = speech_like(9.0 if number < 9 else 0.7, seed=number)
        files[f"u{number:02d}"] = Path(f"{number} a.wav")
        soundfile.write(files[f"u{number:02d}"], wave, RATE)
    soundfile.write("48k.wav", speech_like(1.0, rate=48000), 48000)
    stereo = speech_like(1.0, rate=8000)
    soundfile.write("8k.flac", np.stack([stereo, stereo / 2], axis=1), 8000)
    files |= {"v1": Path("48k.wav"), "v2": Path("8k.flac")}
    write_scp(files)
    Path("f.yaml").write_text("name: log_mel\n")
    return files


def write_scp(files: dict[str, Path]) -> None:
    Path("wav.scp").write_text("".join(f"{name} {path}\n" for name, path in files.items()))


def test_an_archive_with_its_tables(waves: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    make_feats.main([*ARGS, "--progress-file", "out.progress"])
    feature = build_feature("log_mel")
    matrices = kaldiio.load_scp("out/a.scp")
    frames, seconds = read_table("out/utt2num_frames"), read_table("out/utt2dur")
    assert list(matrices) == list(frames) == list(seconds) == list(waves)
    for name, path in waves.items():
        wave = load_audio(path, RATE)[0]
        np.testing.assert_allclose(matrices[name], feature.extract([wave], RATE)[0], atol=1e-6)
        assert int(frames[name]) == len(matrices[name])
        assert float(seconds[name]) == pytest.approx(len(wave) / RATE, rel=1e-5)
    assert json.loads(Path("out/make_feats.json").read_text()) == {
        "utterances": 14,
        "resampled": 2,
        "mixed_down": 1,
        "broken": {},
    }
    assert Path("out.progress").read_text() == "14\n"
    assert "14 of 14 utterances" in capsys.readouterr().out


def break_three(files: dict[str, Path]) -> None:
    Path("text.wav").write_text("no audio")
    cut = Path("cut.wav")
    cut.write_bytes(files["u00"].read_bytes()[:5000])
    write_scp(files | {"u03": Path("text.wav"), "u05": cut, "v1": Path("missing.wav")})


def test_all_broken_files_are_named_and_nothing_is_left(
    waves: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    break_three(waves)
    with pytest.raises(UserError, match="3 of 14 utterances are broken, the first is u03") as caught:
        make_feats.main(ARGS)
    assert "\n" not in str(caught.value)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("broken: ")]
    assert [line.split(": ")[1:3] for line in lines] == [["u03", "text.wav"], ["u05", "cut.wav"], ["v1", "missing.wav"]]
    assert list(Path("out").iterdir()) == []


def test_broken_files_are_left_out_on_request(waves: dict[str, Path]) -> None:
    break_three(waves)
    make_feats.main([*ARGS, "--skip-broken", "true"])
    counts = json.loads(Path("out/make_feats.json").read_text())
    assert counts["utterances"] == 11
    assert sorted(counts["broken"]) == ["u03", "u05", "v1"]
    assert "truncated" in counts["broken"]["u05"]
    assert sorted(read_table("out/a.scp")) == sorted(set(waves) - {"u03", "u05", "v1"})


def test_no_survivor_is_an_error_even_then(waves: dict[str, Path]) -> None:
    write_scp({"u": Path("missing.wav")})
    with pytest.raises(UserError, match="none of 1 utterances"):
        make_feats.main([*ARGS, "--skip-broken", "true"])
    assert list(Path("out").iterdir()) == []


def test_too_short_for_one_frame(waves: dict[str, Path]) -> None:
    soundfile.write("short.wav", speech_like(0.02), RATE)
    write_scp({"u": Path("short.wav")})
    Path("f.yaml").write_text("name: kaldi_fbank\n")
    with pytest.raises(UserError, match="shorter than one frame"):
        make_feats.main(ARGS)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_features_that_are_not_finite(waves: dict[str, Path]) -> None:
    soundfile.write("loud.wav", np.full(RATE, 1e30), RATE, subtype="FLOAT")
    write_scp({"u": Path("loud.wav")})
    with pytest.raises(UserError, match="not finite"):
        make_feats.main(ARGS)


@pytest.mark.parametrize("value", ["touch was_run |", "cat 1.wav |"])
def test_a_pipe_is_not_run(waves: dict[str, Path], value: str) -> None:
    Path("wav.scp").write_text(f"u {value}\n")
    with pytest.raises(UserError, match="pipe"):
        make_feats.main(ARGS)
    assert not Path("was_run").exists()


def test_compressed(waves: dict[str, Path]) -> None:
    make_feats.main([*ARGS, "--compression", "3"])
    expected = build_feature("log_mel").extract([load_audio(waves["u01"], RATE)[0]], RATE)[0]
    np.testing.assert_allclose(kaldiio.load_scp("out/a.scp")["u01"], expected, atol=1e-3)
    assert b"CM2 " in Path("out/a.ark").read_bytes()[:20]
