"""The synthetic corpus: what its labels claim is measured in the sound by other means (librosa, LPC, wave)."""

import csv
import hashlib
import subprocess
import sys
import wave
from collections import Counter
from pathlib import Path

import librosa
import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "egs" / "mini_vb" / "mtl1"
LOCAL = RECIPE / "local"
sys.path.insert(0, str(LOCAL))

from vocal_burst import channel, source  # noqa: E402
from vocal_burst.corpus import hide_labels, plan_speakers, render_corpus  # noqa: E402
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


def folder_digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def run_local(script: str, *options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "LC_ALL": "C", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, str(LOCAL / script), *options]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 speakers with 4 clips each, as a data directory beside the corpus."""
    work = tmp_path_factory.mktemp("mini_vb")
    options = ["--num_speakers", "12", "--clips_per_speaker", "4", "--seed", "7"]
    made = run_local("make_corpus.py", "--out", "downloads/mini_vb", *options, cwd=work)
    assert made.returncode == 0, made.stderr
    prepared = run_local("prepare_data.py", "--corpus", "downloads/mini_vb", "--data_dir", "data", cwd=work)
    assert prepared.returncode == 0, prepared.stderr
    return work


def rows_of(corpus: Path) -> list[dict[str, str]]:
    with open(corpus / "downloads/mini_vb/info.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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


# --- the corpus


def test_splits_share_no_speaker_and_balance_countries() -> None:
    speakers = plan_speakers(48, 1)
    assert Counter(speaker.split for speaker in speakers) == {"train": 28, "dev": 10, "test": 10}
    assert len({speaker.name for speaker in speakers}) == 48
    for split in ("train", "dev", "test"):
        group = [speaker for speaker in speakers if speaker.split == split]
        counts = Counter(speaker.country for speaker in group)
        assert set(counts) == set(COUNTRIES)
        assert max(counts.values()) - min(counts.values()) <= 1
        ages = [speaker.age for speaker in group]
        assert min(ages) < 23 < 37 < max(ages)


def test_missing_labels_are_about_five_per_cent() -> None:
    rng = np.random.default_rng(0)
    missing = np.isnan([hide_labels(np.full(10, 0.5), rng) for _ in range(4000)])
    # 4000 clips: the binomial's standard deviation of each half is 10.
    assert np.sum(missing.sum(axis=1) == 10) == pytest.approx(100, abs=40)
    assert np.sum(missing.sum(axis=1) == 1) == pytest.approx(100, abs=40)
    assert set(missing.sum(axis=1)) == {0, 1, 10}


def test_clips_are_valid_wavs(corpus: Path) -> None:
    rows = rows_of(corpus)
    assert len(rows) == 48
    for row in rows:
        with wave.open(str(corpus / f"downloads/mini_vb/wav/{row['Subject_ID']}/{row['File_ID']}.wav")) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert len(samples) == int(row["Samples"])
        assert 0.5 <= len(samples) / RATE <= 3.0
        assert 5000 < np.max(np.abs(samples.astype(int))) < 32767


def test_data_directory(corpus: Path) -> None:
    rows = {row["File_ID"]: row for row in rows_of(corpus)}
    seen: dict[str, str] = {}
    for split in ("train", "dev", "test"):
        tables = {}
        for path in (corpus / "data" / split).iterdir():
            lines = path.read_text(encoding="utf-8").splitlines()
            keys = [line.split()[0] for line in lines]
            assert keys == sorted(set(keys))
            tables[path.name] = {line.split()[0]: line.split()[1:] for line in lines}
        for utterance, (speaker,) in tables["utt2spk"].items():
            assert seen.setdefault(speaker, split) == split
            assert utterance in tables["spk2utt"][speaker]
            row = rows[utterance]
            assert tables["utt2age"][utterance] == [row["Age"]]
            assert tables["utt2country"][utterance] == [row["Country"]]
            assert tables["utt2type"][utterance] == [row["Type"]]
            assert float(tables["utt2dur"][utterance][0]) == pytest.approx(int(row["Samples"]) / RATE, abs=1e-4)
            assert (corpus / tables["wav.scp"][utterance][0]).is_file()
            expected = [row[emotion] or "nan" for emotion in EMOTIONS]
            assert tables["utt2emotion"].get(utterance, ["nan"] * 10) == expected
    assert len(seen) == 12


def test_data_directories_pass_the_validator(corpus: Path) -> None:
    for split in ("train", "dev", "test"):
        command = [str(ROOT / "utils/validate_data_dir.sh"), "--no-feats", "--tasks", str(RECIPE / "conf/tasks.yaml")]
        done = subprocess.run([*command, f"data/{split}"], cwd=corpus, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_tasks_yaml_names_what_the_corpus_holds() -> None:
    tasks = {task["name"]: task for task in yaml.safe_load((RECIPE / "conf/tasks.yaml").read_text())["tasks"]}
    assert tuple(tasks["emotion"]["dimensions"]) == EMOTIONS
    assert tuple(tasks["country"]["classes"]) == COUNTRIES
    assert tuple(tasks["type"]["classes"]) == TYPES


def test_second_run_changes_nothing(corpus: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*") if path.is_file()}
    options = ["--num_speakers", "12", "--clips_per_speaker", "4", "--seed", "7"]
    assert "nothing to do" in run_local("make_corpus.py", "--out", "downloads/mini_vb", *options, cwd=corpus).stdout
    run_local("prepare_data.py", "--corpus", "downloads/mini_vb", "--data_dir", "data", cwd=corpus)
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*") if path.is_file()} == before


def test_same_seed_same_bytes_and_truncated_wav_is_noticed(corpus: Path, tmp_path: Path) -> None:
    options = ["--num_speakers", "12", "--clips_per_speaker", "4", "--seed", "7"]
    assert run_local("make_corpus.py", "--out", "mini_vb", *options, cwd=tmp_path).returncode == 0
    wanted = folder_digest(corpus / "downloads/mini_vb")
    assert folder_digest(tmp_path / "mini_vb") == wanted
    wav = next((tmp_path / "mini_vb").rglob("*.wav"))
    wav.write_bytes(wav.read_bytes()[:1000])
    # What a killed run leaves is swept away.
    (tmp_path / "mini_vb.tmp").mkdir()
    assert run_local("make_corpus.py", "--out", "mini_vb", *options, cwd=tmp_path).returncode == 0
    assert folder_digest(tmp_path / "mini_vb") == wanted
    assert [path.name for path in tmp_path.iterdir()] == ["mini_vb"]


def test_another_corpus_shows_in_the_data_directory(corpus: Path, tmp_path: Path) -> None:
    """The stages that follow know wavs by path; a corpus of other content under the same paths must be noticed."""
    run_local(
        "make_corpus.py", "--out", "downloads/mini_vb", "--num_speakers", "12", "--clips_per_speaker", "1", cwd=tmp_path
    )
    run_local("prepare_data.py", "--corpus", "downloads/mini_vb", "--data_dir", "data", cwd=tmp_path)
    texts = {(root / "data/train/corpus_id").read_text() for root in (corpus, tmp_path)}
    assert len(texts) == 2
    assert all(text.startswith("sha256 ") and len(text.split()[1]) == 64 for text in texts)


def test_other_seed_other_sound() -> None:
    first, second = (next(render_corpus(12, 1, seed)).samples for seed in (1, 2))
    assert len(first) != len(second) or not np.array_equal(first, second)


@pytest.mark.parametrize("option", [["--num_speakers", "11"], ["--clips_per_speaker", "0"], ["--seed", "-1"]])
def test_impossible_options_are_one_line(option: list[str], tmp_path: Path) -> None:
    done = run_local("make_corpus.py", "--out", "mini_vb", *option, cwd=tmp_path)
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_missing_table_is_one_line(tmp_path: Path) -> None:
    done = run_local("prepare_data.py", "--corpus", "none", "--data_dir", "data", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: none: not a complete corpus")
    assert len(done.stderr.strip().splitlines()) == 1
