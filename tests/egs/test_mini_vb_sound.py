"""The synthetic corpus: what its labels claim is measured in the sound by other means (librosa, LPC, wave)."""

import sys
from pathlib import Path

import librosa
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "egs" / "mini_vb" / "mtl1"
LOCAL = RECIPE / "local"
sys.path.insert(0, str(LOCAL))

from vocal_burst import channel, source  # noqa: E402
from vocal_burst.emotion import DIRECTIONS, EMOTIONS, QUALITIES, emotion_intensities  # noqa: E402
from vocal_burst.gesture import GESTURES, TYPES, lay_out  # noqa: E402
from vocal_burst.speaker import COUNTRIES, VOWELS, Speaker, sample_speaker  # noqa: E402
from vocal_burst.synthesis import render_voice  # noqa: E402
from vocal_burst.tract import resonate  # noqa: E402

RATE = 16000


def make_speaker(**changes: float | str | tuple[float, float]) -> Speaker:
    values = dict(
        name="s001", split="train", age=30.0, country="Vestia", pitch=180.0, tract_scale=1.0, jitter=0.002,
        shimmer=0.01, accent=(1.0, 1.0),
    )  # fmt: skip
    return Speaker(**(values | changes))  # type: ignore[arg-type]


def render(kind: str = "Groan", speaker: Speaker | None = None, seed: int = 3, **qualities: float) -> np.ndarray:
    vector = np.array([qualities.get(name, 0.0) for name in QUALITIES])
    voice = render_voice(vector, speaker or make_speaker(), kind, np.random.default_rng(seed))
    return voice / np.max(np.abs(voice))


def f0_track(voice: np.ndarray) -> np.ndarray:
    """Pitch in Hz of the frames with at least a tenth of the loudest frame's amplitude, by YIN."""
    f0 = librosa.yin(voice, fmin=65, fmax=900, sr=RATE, frame_length=2048, hop_length=256)
    level = librosa.feature.rms(y=voice, frame_length=2048, hop_length=256)[0]
    return f0[: len(level)][level > 0.1 * level.max()]


def band_energy(voice: np.ndarray, low: float, high: float) -> float:
    """Share of the energy between two frequencies in Hz."""
    power = np.abs(np.fft.rfft(voice)) ** 2
    frequency = np.fft.rfftfreq(len(voice), 1 / RATE)
    return float(power[(frequency >= low) & (frequency < high)].sum() / power.sum())


def modulation(voice: np.ndarray, low: float, high: float) -> float:
    """Share of the amplitude envelope's variation between two modulation frequencies in Hz."""
    level = librosa.feature.rms(y=voice, frame_length=512, hop_length=160)[0]
    power = np.abs(np.fft.rfft(level - level.mean(), 1024)) ** 2
    frequency = np.fft.rfftfreq(1024, 0.01)
    return float(power[(frequency >= low) & (frequency < high)].sum() / power.sum())


# --- the labels


def test_emotion_intensities_by_hand() -> None:
    neutral = emotion_intensities(np.zeros(8))
    assert np.allclose(neutral, 1 / (1 + np.exp(1.8)), rtol=1e-12)
    for row, direction in enumerate(DIRECTIONS):
        assert np.linalg.norm(direction) == pytest.approx(1.0)
        assert emotion_intensities(direction)[row] == pytest.approx(1 / (1 + np.exp(1.8 - 2.6)))


def test_emotions_grow_with_the_qualities_that_express_them() -> None:
    for row, name in enumerate(EMOTIONS):
        for column, weight in enumerate(DIRECTIONS[row]):
            up, down = np.zeros(8), np.zeros(8)
            up[column], down[column] = 0.5, -0.5
            gain = emotion_intensities(up)[row] - emotion_intensities(down)[row]
            assert np.sign(gain) == np.sign(weight), (name, QUALITIES[column])


def test_age_sets_the_voice() -> None:
    rng = np.random.default_rng(0)
    young, old = ([sample_speaker(rng, "s", "train", age, "Ostia") for _ in range(60)] for age in (20.0, 40.0))
    for cue, sign in (("pitch", -1), ("tract_scale", -1), ("jitter", 1), ("shimmer", 1)):
        low, high = (np.mean([getattr(speaker, cue) for speaker in group]) for group in (young, old))
        assert sign * (high - low) > 0, cue


# --- what the qualities do to the sound


def test_pitch_of_a_plain_voice() -> None:
    # A groan lies 2 semitones below the speaker; an arch of 4 semitones at neutral range is centred on it.
    median = np.median(
        f0_track(render(speaker=make_speaker(pitch=200.0), tremor=-1.0, roughness=-1.0, breathiness=-1.0))
    )
    assert 12 * np.log2(median / 200.0) == pytest.approx(-2.0, abs=2.0)


def test_pitch_raises_f0_by_six_semitones() -> None:
    medians = [np.median(f0_track(render(pitch=value, roughness=-1.0, breathiness=-1.0))) for value in (-1.0, 0.0, 1.0)]
    steps = 12 * np.diff(np.log2(medians))
    assert steps == pytest.approx([6.0, 6.0], abs=0.5)


def test_pitch_range_widens_f0() -> None:
    spreads = []
    for value in (-1.0, 0.0, 1.0):
        track = f0_track(render(pitch_range=value, tremor=-1.0, roughness=-1.0, breathiness=-1.0))
        spreads.append(np.std(np.log2(track)))
    assert spreads[0] < spreads[1] < spreads[2]


def test_pitch_slope_tilts_f0() -> None:
    slopes = []
    for value in (-1.0, 0.0, 1.0):
        track = f0_track(render(pitch_slope=value, tremor=-1.0, roughness=-1.0, breathiness=-1.0))
        slopes.append(np.polyfit(np.linspace(0, 1, len(track)), 12 * np.log2(track), 1)[0])
    assert slopes[0] < slopes[1] < slopes[2]
    assert slopes[2] > 4.0 > -4.0 > slopes[0]


def test_effort_moves_energy_up() -> None:
    shares = [band_energy(render(effort=value, breathiness=-1.0), 2000, 8000) for value in (-1.0, 0.0, 1.0)]
    assert shares[0] < shares[1] < shares[2]


def test_breathiness_fills_the_spectrum_with_noise() -> None:
    flatness = []
    for value in (-1.0, 0.0, 1.0):
        voice = render(breathiness=value, roughness=-1.0)
        flatness.append(np.median(librosa.feature.spectral_flatness(y=voice, n_fft=1024)))
    assert flatness[0] < flatness[1] < flatness[2]


def test_tempo_shortens_the_clip() -> None:
    durations = [len(render("Laugh", tempo=value)) for value in (-1.0, 0.0, 1.0)]
    assert durations[0] > durations[1] > durations[2]


def test_roughness_adds_subharmonics() -> None:
    # Alternate periods differ: energy appears at half the pitch, where a clear voice has none.
    pitch = np.full(source.RATE, 200.0)
    shares = []
    for roughness in (0.0, 0.5, 1.0):
        signal = source.glottal_source(pitch, 0.0, 0.0, roughness, 0.0, np.random.default_rng(0))
        power = np.abs(np.fft.rfft(signal)) ** 2
        shares.append(power[60:140].sum() / power.sum())
    assert shares[0] < 1e-5
    assert shares[0] < shares[1] < shares[2]


def test_tremor_shakes_the_amplitude_at_nine_hz() -> None:
    shares = [modulation(render(tremor=value, roughness=-1.0), 8, 10) for value in (-1.0, 0.0, 1.0)]
    assert shares[0] < shares[1] < shares[2]


# --- what the country and the type do to the sound


def test_resonator_peaks_at_its_formants() -> None:
    impulse = np.zeros(RATE)
    impulse[0] = 1.0
    response = np.abs(np.fft.rfft(resonate(impulse, (600.0, 1800.0, 2700.0, 3600.0, 4500.0, 5400.0, 6300.0), RATE)))
    peaks = [200 + np.argmax(response[200:1200]), 1200 + np.argmax(response[1200:2500])]
    # 1 Hz per bin; the neighbour's slope shifts a peak by a few Hz.
    assert peaks == pytest.approx([600, 1800], abs=10)


@pytest.mark.parametrize("country", COUNTRIES)
def test_country_by_its_formants(country: str) -> None:
    """The spectral envelope (by LPC) is nearest to that of the country's own vowels."""
    speaker = make_speaker(country=country, pitch=110.0)
    voice = render(speaker=speaker, breathiness=-1.0, roughness=-1.0, tremor=-1.0, pitch=-0.5, effort=0.0)
    middle = voice[len(voice) // 4 : 3 * len(voice) // 4]
    emphasised = np.append(middle[0], middle[1:] - 0.9 * middle[:-1])
    polynomial = librosa.lpc(emphasised * np.hanning(len(emphasised)), order=18)
    measured = -20 * np.log10(np.abs(np.fft.rfft(polynomial, 512))[8:110])
    distances = {}
    frequency = np.arange(8, 110) * RATE / 512
    for name, vowels in VOWELS.items():
        power = np.zeros(len(frequency))
        for first, second in vowels:
            response = np.ones(len(frequency))
            for formant, width in ((first, 80), (second, 100), (2700, 140), (3600, 200), (4500, 260)):
                pole = complex(-np.pi * width, 2 * np.pi * formant)
                s = 2j * np.pi * frequency
                response = response * np.abs(abs(pole) ** 2 / ((s - pole) * (s - pole.conjugate())))
            power += response**2
        expected = 10 * np.log10(power)
        # A line in frequency stands for the unknown tilt of source and pre-emphasis.
        rest = measured - expected
        rest = rest - np.polyval(np.polyfit(np.log(frequency), rest, 1), np.log(frequency))
        distances[name] = float(np.sqrt(np.mean(rest**2)))
    assert min(distances, key=distances.get) == country, distances


def test_types_by_their_envelopes() -> None:
    def bursts(kind: str) -> int:
        envelope = lay_out(GESTURES[kind], 0.0, 1000, np.random.default_rng(5)).envelope
        return int(np.sum(np.diff((envelope > 0.2).astype(int)) == 1))

    counts = {kind: bursts(kind) for kind in TYPES}
    assert all(counts[kind] == 1 for kind in ("Gasp", "Scream", "Grunt", "Groan"))
    assert counts["Laugh"] >= 4
    assert counts["Pant"] >= 3
    assert counts["Cry"] in (2, 3)
    assert counts["Other"] == 2


def test_gasp_and_pant_are_noisier_than_voiced_types() -> None:
    flatness = {kind: np.median(librosa.feature.spectral_flatness(y=render(kind)[1600:-1600])) for kind in TYPES}
    voiced = max(flatness[kind] for kind in ("Scream", "Groan", "Other"))
    assert flatness["Gasp"] > voiced
    assert flatness["Pant"] > voiced


# --- the recording


def test_noise_is_at_the_ratio_asked_for() -> None:
    signal = np.sin(np.arange(RATE) * 0.1)
    for pink in (False, True):
        noise = channel.add_noise(signal, 20.0, pink, np.random.default_rng(0)) - signal
        assert 10 * np.log10(np.mean(signal**2) / np.mean(noise**2)) == pytest.approx(20.0, abs=1e-6)


def test_room_decays_by_60_db() -> None:
    impulse = np.zeros(RATE)
    impulse[0] = 1.0
    response = channel.add_room(impulse, 0.3, 6.0, np.random.default_rng(0))
    assert response[0] == pytest.approx(1.0)
    early, late = response[200:600], response[3400:3800]
    # 3200 samples of .2 s at 60 dB per .3 s.
    assert 10 * np.log10(np.mean(early**2) / np.mean(late**2)) == pytest.approx(40.0, abs=2.5)
