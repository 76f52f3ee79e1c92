"""The synthetic corpus: its speakers, labels and files."""

import csv
import hashlib
import subprocess
import sys
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "egs" / "mini_vb" / "mtl1"
LOCAL = RECIPE / "local"
sys.path.insert(0, str(LOCAL))

from vocal_burst.corpus import hide_labels, plan_speakers, render_corpus  # noqa: E402
from vocal_burst.emotion import EMOTIONS  # noqa: E402
from vocal_burst.gesture import TYPES  # noqa: E402
from vocal_burst.speaker import COUNTRIES  # noqa: E402

RATE = 16000


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
