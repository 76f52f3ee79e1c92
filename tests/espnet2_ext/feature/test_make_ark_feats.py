"""utils/make_ark_feats.sh as a recipe calls it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import kaldiio
import lhotse
import numpy as np
import pytest
import soundfile
import yaml
from speech_like import speech_like

from espnet2_ext.fileio.table import read_table, write_table

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "utils" / "make_ark_feats.sh"
PATHS = ["data/train", "exp/log", "dump/log_mel/train"]
UTTS = [f"s{number % 4}-{number:02d}" for number in range(24)]


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix, "OMP_NUM_THREADS": "1", "LC_ALL": "C"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, env=environment(), timeout=120)


@pytest.fixture(autouse=True)
def _recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wav").mkdir()
    for number, utt in enumerate(UTTS):
        soundfile.write(f"wav/{utt}.wav", speech_like(0.5, seed=number), 16000)
    directory = Path("data/train")
    write_table(directory / "wav.scp", {utt: f"wav/{utt}.wav" for utt in UTTS})
    write_table(directory / "utt2spk", {utt: utt[:2] for utt in UTTS})
    write_table(directory / "utt2dur", dict.fromkeys(UTTS, "0.5"))
    write_table(directory / "utt2age", {utt: "31.5" for utt in UTTS[::2]})
    speakers = sorted({utt[:2] for utt in UTTS})
    write_table(directory / "spk2utt", {s: " ".join(sorted(u for u in UTTS if u[:2] == s)) for s in speakers})
    Path("conf").mkdir()
    Path("conf/feature.yaml").write_text("name: log_mel\nn_mels: 40\n")


def test_a_dump_directory() -> None:
    result = run("--nj", "3", *PATHS)
    assert result.returncode == 0, result.stderr
    dump = Path("dump/log_mel/train")
    arks = {f"feats.{job}.ark" for job in (1, 2, 3)}
    tables = {"feats.scp", "spk2utt", "utt2age", "utt2dur", "utt2num_frames", "utt2spk", "wav.scp"}
    assert {path.name for path in dump.iterdir()} == arks | tables | {"feature.yaml", "make_feats.json"}
    matrices = kaldiio.load_scp(str(dump / "feats.scp"))
    assert list(matrices) == sorted(UTTS)
    assert all(matrices[utt].shape == (51, 40) for utt in UTTS)
    assert (dump / "utt2age").read_bytes() == Path("data/train/utt2age").read_bytes()
    assert yaml.safe_load((dump / "feature.yaml").read_text())["hop_length"] == 160
    assert all(line.split()[1].startswith("dump/log_mel/train/") for line in (dump / "feats.scp").open())
    assert not Path("data/train/split3").exists()
    assert os.listdir("dump/log_mel") == ["train"]
    recordings, _, features = lhotse.kaldi.load_kaldi_data_dir(dump, sampling_rate=16000, frame_shift=0.01)
    assert len(recordings) == len(features) == len(UTTS)


def test_the_number_of_jobs_changes_nothing() -> None:
    matrices = []
    for jobs in ("1", "5"):
        assert run("--nj", jobs, "data/train", "log", f"dump/{jobs}").returncode == 0
        matrices.append(dict(kaldiio.load_scp(f"dump/{jobs}/feats.scp")))
    for utt in UTTS:
        np.testing.assert_allclose(matrices[1][utt], matrices[0][utt], rtol=0, atol=1e-6)


def test_no_more_jobs_than_utterances() -> None:
    for name in ("wav.scp", "utt2spk", "utt2dur"):
        table = read_table(f"data/train/{name}")
        write_table(f"data/train/{name}", {utt: table[utt] for utt in ("s0-00", "s1-01")})
    write_table("data/train/utt2age", {"s0-00": "31.5"})
    write_table("data/train/spk2utt", {"s0": "s0-00", "s1": "s1-01"})
    result = run("--nj", "99", *PATHS)
    assert result.returncode == 0, result.stderr
    assert len(list(Path(PATHS[2]).glob("feats.*.ark"))) == 2


def test_a_broken_file_is_named_and_the_old_dump_stays() -> None:
    assert run("--nj", "2", *PATHS).returncode == 0
    before = Path("dump/log_mel/train/feats.scp").read_bytes()
    Path(f"wav/{UTTS[5]}.wav").write_text("a text")
    result = run("--nj", "2", *PATHS)
    assert result.returncode == 1
    assert f"broken: {UTTS[5]}: wav/{UTTS[5]}.wav: no readable audio" in result.stderr
    assert "Traceback" not in result.stderr
    assert Path("dump/log_mel/train/feats.scp").read_bytes() == before
    assert os.listdir("dump/log_mel") == ["train"]


def test_skipping_keeps_the_tables_in_step_and_has_a_limit() -> None:
    os.remove(f"wav/{UTTS[5]}.wav")
    result = run("--nj", "2", "--skip_broken", "true", *PATHS)
    assert result.returncode == 0, result.stderr
    assert "1 broken and left out" in result.stdout
    for name in ("feats.scp", "wav.scp", "utt2spk", "utt2dur", "utt2num_frames"):
        assert UTTS[5] not in read_table(f"dump/log_mel/train/{name}")
    os.remove(f"wav/{UTTS[6]}.wav")  # 22 of 24 are less than 95 %
    result = run("--nj", "2", "--skip_broken", "true", "data/train", "exp/log", "dump/log_mel/other")
    assert result.returncode == 1
    assert "only 22 of 24 utterances have features" in result.stderr
    assert os.listdir("dump/log_mel") == ["train"]


def test_killed_it_leaves_nothing_that_looks_finished() -> None:
    # Long enough to be killed within: the same files many times.
    utts = {f"s0-{number:05d}": f"wav/{UTTS[number % 24]}.wav" for number in range(6000)}
    write_table("data/train/wav.scp", utts)
    write_table("data/train/utt2spk", dict.fromkeys(utts, "s0"))
    write_table("data/train/utt2dur", dict.fromkeys(utts, "0.5"))
    write_table("data/train/spk2utt", {"s0": " ".join(utts)})
    os.remove("data/train/utt2age")
    process = subprocess.Popen(
        [SCRIPT, "--nj", "2", *PATHS],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not Path("dump/log_mel/.train.building/progress.1").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not Path("dump/log_mel/train").exists()
    time.sleep(1.0)  # the jobs have sessions of their own
    assert run("--nj", "2", *PATHS).returncode == 0
    assert len(read_table("dump/log_mel/train/feats.scp")) == 6000
    assert os.listdir("dump/log_mel") == ["train"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["data/train", "log"], "three arguments"),
        (["--nj", "0", *PATHS], "--nj takes a whole number"),
        (["--features", "x", *PATHS], "--features: unknown option"),
        (["--feature", "none.yaml", *PATHS], "none.yaml: no such file"),
        (["--skip_broken", "yes", *PATHS], "true or false"),
        (["data/none", "log", "dump/none"], "data/none"),
    ],
)
def test_wrong_calls(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.returncode != 0
    assert words in result.stderr
    assert not Path("dump/none").exists()


def test_help_shows_an_example() -> None:
    result = run("--help")
    assert result.returncode == 0
    assert "Example: " in result.stdout
    assert "skip_broken" in result.stdout
