import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.audio import iter_audio, load_audio

RATE = 16000


def tone(seconds: float = 1.0, rate: int = RATE, hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize(
    ("name", "subtype", "error"),
    [
        ("a.wav", "PCM_16", 2**-15),
        ("a.wav", "PCM_U8", 2**-7),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "FLOAT", 1e-7),
        ("a.wav", "DOUBLE", 1e-7),
        ("a.flac", "PCM_16", 2**-15),
        ("a.ogg", "VORBIS", 0.02),
        ("a.mp3", "MPEG_LAYER_III", 0.05),
    ],
)
def test_formats(tmp_path: Path, name: str, subtype: str, error: float) -> None:
    wave = tone()
    soundfile.write(tmp_path / name, wave, RATE, subtype=subtype)
    loaded, note = load_audio(tmp_path / name, RATE)
    assert loaded.dtype == np.float32
    assert note == (False, False)
    np.testing.assert_allclose(loaded[: len(wave)], wave, atol=error)
    reference = soundfile.read(tmp_path / name, dtype="float32")[0]
    # The decoder of mp3 rounds differently from call to call.
    np.testing.assert_allclose(loaded, reference, atol=1e-6 if name == "a.mp3" else 0)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = tone(), tone(hz=300.0)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), RATE)
    loaded, note = load_audio(tmp_path / "a.wav", RATE)
    assert note == (False, True)
    np.testing.assert_allclose(loaded, (left + right) / 2, atol=2**-15)


@pytest.mark.parametrize("source", [8000, 44100, 48000])
def test_other_rates_are_resampled(tmp_path: Path, source: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(rate=source), source, subtype="FLOAT")
    loaded, note = load_audio(tmp_path / "a.wav", RATE)
    assert note == (True, False)
    assert len(loaded) == RATE
    # Away from the ends, where the filter meets silence, the tone is the tone.
    np.testing.assert_allclose(loaded[400:-400], tone()[400:-400], atol=1e-3)
    np.testing.assert_allclose(loaded, soxr.resample(tone(rate=source).astype(np.float32), source, RATE), atol=1e-6)


@pytest.mark.parametrize(("source", "channels"), [(RATE, 1), (RATE, 2), (44100, 2), (8000, 1)])
@pytest.mark.parametrize("block", [0.1, 0.37, 100.0])
def test_blocks_are_the_whole(tmp_path: Path, source: int, channels: int, block: float) -> None:
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (round(5.3 * source), channels))
    soundfile.write(tmp_path / "a.wav", noise, source)
    whole = load_audio(tmp_path / "a.wav", RATE)[0]
    blocks = list(iter_audio(tmp_path / "a.wav", RATE, block))
    assert {len(part) for part in blocks[:-1]} <= {round(block * RATE)}
    assert 0 < len(blocks[-1]) <= round(block * RATE)
    joined = np.concatenate(blocks)
    if source == RATE:
        np.testing.assert_array_equal(joined, whole)
    else:
        np.testing.assert_allclose(joined, whole, atol=1e-6)
        assert len(joined) == len(whole)


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("removed", [1, 2, 3000, 15000])
def test_a_truncated_wav_is_named(tmp_path: Path, subtype: str, removed: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE, subtype=subtype)
    _cut(path, path.stat().st_size - removed)
    for read in (lambda: load_audio(path, RATE), lambda: list(iter_audio(path, RATE, 0.5))):
        with pytest.raises(UserError, match="truncated") as caught:
            read()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
def test_truncated_compressed_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, tone(3.0), RATE)
    _cut(path, path.stat().st_size // 2)
    with pytest.raises(UserError, match=name):
        load_audio(path, RATE)


def test_a_wav_from_a_pipe_has_no_length_and_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE)
    data = bytearray(path.read_bytes())
    assert data[36:40] == b"data"
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert len(load_audio(path, RATE)[0]) == RATE


def test_a_wav_with_chunks_after_its_data_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE)
    path.write_bytes(path.read_bytes() + b"LIST\x04\0\0\0INFO")
    assert len(load_audio(path, RATE)[0]) == RATE


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        (b"", "no readable audio"),
        (b"this is a text that someone called wav\n" * 10, "no readable audio"),
        (b"RIFF", "no readable audio"),
    ],
)
def test_what_is_no_audio(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_audio(path, RATE)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE)
    with pytest.raises(UserError, match="holds no sample"):
        load_audio(tmp_path / "a.wav", RATE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path: Path, bad: float) -> None:
    wave = tone()
    wave[77] = bad
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    with pytest.raises(UserError, match="NaN or infinite"):
        load_audio(tmp_path / "a.wav", RATE)


def test_raw_files_have_no_header(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(100))
    with pytest.raises(UserError, match="no readable audio"):
        load_audio(tmp_path / "a.raw", RATE)


@pytest.mark.parametrize("source", [RATE, 24000])
def test_blocks_of_a_long_file_take_little_memory(tmp_path: Path, source: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(300 * source), source)
    tracemalloc.start()
    samples = sum(len(block) for block in iter_audio(tmp_path / "a.wav", RATE, 1.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert samples == 300 * RATE
    assert peak < 4e6  # the whole is 19 MB
