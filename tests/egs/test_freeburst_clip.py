"""The recipe freeburst: clips are what arithmetic by hand says."""

import io
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from voice_packages import (
    encode,
    resample_by_taps,
)

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "egs/freeburst/mtl1/local"
sys.path.insert(0, str(LOCAL))

from clip import decode_clip  # noqa: E402

from espnet2_ext.errors import UserError  # noqa: E402

OGG = "usr/share/games/hedgewars/Data/Sounds/voices/British/Amazing.ogg"
PK3 = "usr/share/games/openarena/baseoa/pak2-players.pk3"


def pcm(samples: np.ndarray, rate: int = 16000) -> bytes:
    """A wav of int16 samples (N,) or (N, C), byte by byte as given."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return stream.getvalue()


def test_quiet_ends_are_trimmed_to_a_margin_of_20_ms() -> None:
    """At 16 kHz: 320 samples stay before the first and behind the last above a hundredth of the peak."""
    samples = np.zeros(4000, np.int16)
    samples[:1000] = 80  # exactly 1 % of the peak: quiet
    samples[1000:1500] = 8000
    samples[2000] = -81  # the last that is louder
    samples[2001:] = -79
    clip = decode_clip(pcm(samples), "a")
    # 32767 / 32768 is nearer to each value than half a step: the samples stay as they are.
    assert np.array_equal(clip, samples[1000 - 320 : 2001 + 320])
    assert clip.dtype == np.int16


def test_a_sound_up_to_the_ends_stays_whole() -> None:
    samples = np.array([8000, -5, 3, 6000] * 50, np.int16)
    assert np.array_equal(decode_clip(pcm(samples), "a"), samples)


def test_channels_become_their_mean() -> None:
    samples = np.array([[8000, 4000], [-3000, -1000], [100, -100], [7001, 5001]] * 100, np.int16)
    assert np.array_equal(decode_clip(pcm(samples), "a"), np.tile([6000, -2000, 0, 6001], 100))


@pytest.mark.parametrize(
    ("peak", "expected"),
    # 0.999 * 32767 = 32734.2; a peak of 32735 / 32768 = 0.99899 is below 0.999 and stays.
    [(32767, 32734), (-32768, -32734), (32736, 32734), (32735, 32734), (32000, 31999)],
)
def test_what_would_clip_is_scaled_down(peak: int, expected: int) -> None:
    samples = np.array([peak, 16384, -8192, 0] * 10, np.int16)
    clip = decode_clip(pcm(samples), "a")
    assert clip[0] == expected
    gain = 0.999 / (abs(peak) / 32768) if abs(peak) > 0.999 * 32768 else 1
    assert clip[1] == round(16384 / 32768 * gain * 32767)


def test_a_decoded_peak_above_one() -> None:
    """As Vorbis may decode to, and floats here hold."""
    stream = io.BytesIO()
    soundfile.write(stream, np.array([1.6, -0.8, 0.4, 0.0] * 20), 16000, format="WAV", subtype="FLOAT")
    clip = decode_clip(stream.getvalue(), "a")
    assert clip[:4].tolist() == [32734, -16367, 8184, 0]  # 0.999 * 32767 times 1, -1/2, 1/4


@pytest.mark.parametrize(
    ("rate", "length"), [(44100, 44100), (44100, 30001), (22050, 11025), (48000, 5000), (8000, 777)]
)
def test_resampling(rate: int, length: int) -> None:
    """ceil(N * 16000 / rate) samples; each the sum over the filter's taps."""
    rng = np.random.default_rng(length)
    samples = np.round(8000 * np.sin(np.arange(length) * 2 * np.pi * 440 / rate) + rng.normal(0, 500, length))
    samples[[0, -1]] = 16000  # loud at the ends: nothing is trimmed
    clip = decode_clip(pcm(samples, rate), "a")
    assert len(clip) == -(-length * 16000 // rate)
    assert np.array_equal(clip, np.round(resample_by_taps(samples / 32768, rate) * 32767))


def test_resampling_keeps_tones_and_removes_what_is_above() -> None:
    t = np.arange(44100) / 44100
    clip = decode_clip(
        pcm(np.round(8000 * np.sin(2 * np.pi * 1000 * t) + 8000 * np.sin(2 * np.pi * 12000 * t)), 44100), "a"
    )
    expected = 8000 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    # Trimming may take a few samples off the ends, where the tone is quiet.
    assert len(clip) == 16000
    assert np.abs(clip[200:-200] - expected[200:-200]).max() < 30


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pcm(np.zeros(500, np.int16)), "silent"),
        (pcm(np.zeros(500, np.int16), 44100), "silent"),
        (pcm(np.zeros(0, np.int16), 44100), "silent"),
        (b"this is a text\n", "no readable audio"),
        (b"", "no readable audio"),
        (encode(np.ones(4000) / 2, 16000, "ogg")[:40], "no readable audio"),
    ],
    # An Ogg stream has a random number, which would be in a name made of the content.
    ids=["silence", "silence at 44.1 kHz", "no sample", "text", "nothing", "torn"],
)
def test_what_is_no_voice_is_one_line(content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        decode_clip(content, "a.deb: sound/a.wav")
    assert str(caught.value).startswith("a.deb: sound/a.wav: ")
    assert "\n" not in str(caught.value)
