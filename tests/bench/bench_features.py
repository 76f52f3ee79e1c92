"""Audio seconds per CPU second from wav files to an archive, one core: our extraction jobs against the libraries.

All figures are taken in turns within one run, in CPU time of one thread, from files in the page cache. The libraries
read by soundfile and write by kaldiio; ours is the whole body of a job, with its checks.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import kaldi_native_fbank
import kaldiio
import librosa
import numpy as np
import soundfile
import torch
import torchaudio
from espnet2.layers.log_mel import LogMel as EspnetLogMel
from espnet2.layers.stft import Stft
from table import print_rows
from threadpoolctl import threadpool_limits

from espnet2_ext.feature import build_feature
from espnet2_ext.feature.extraction import extract_to_ark
from espnet2_ext.fileio.ark_writer import ArkWriter
from espnet2_ext.fileio.audio import load_audio
from espnet2_ext.fileio.table import read_table, write_table

FILES, RATE, MELS = 300, 16000, 64
ROUNDS = 3
Extract = Callable[[np.ndarray], np.ndarray]


def rows() -> list[tuple[str, str]]:
    """Return (what, figure) pairs."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name, threadpool_limits(1):
        folder = Path(name)
        seconds = _make_corpus(folder)
        wavs = read_table(folder / "wav.scp")
        runs = {
            "log_mel": lambda: _ours(wavs, folder, "log_mel", n_mels=MELS),
            "kaldi_fbank": lambda: _ours(wavs, folder, "kaldi_fbank", num_mel_bins=MELS),
            "reading": lambda: _read(wavs),
        }
        for peer, extract in {**_log_mel_peers(), **_fbank_peers()}.items():
            runs[peer] = lambda extract=extract: _theirs(wavs, folder, extract)
        speeds = {name: seconds / cpu for name, cpu in _cpu_seconds(runs).items()}
        speeds["job"] = seconds * 10 / _job_cpu_seconds(folder, wavs, 10)
    return _table(speeds, seconds * 10)


def _table(speeds: dict[str, float], job_seconds: float) -> list[tuple[str, str]]:
    def against(name: str, peers: list[str]) -> str:
        return f"{speeds[name]:,.0f}; " + ", ".join(f"{speeds[name] / speeds[peer]:.2f}x {peer}" for peer in peers)

    log_mel, fbank = list(_log_mel_peers()), list(_fbank_peers())
    return [
        ("log_mel, wav to ark, audio seconds per CPU second", against("log_mel", log_mel)),
        (f"the same, a job of {job_seconds / 60:.0f} minutes with its start", f"{speeds['job']:,.0f}"),
        ("kaldi_fbank, wav to ark", against("kaldi_fbank", fbank)),
        ("reading alone", f"{speeds['reading']:,.0f}"),
        *((peer, f"{speeds[peer]:,.0f}") for peer in log_mel + fbank),
    ]


def _make_corpus(folder: Path) -> float:
    """Write 16-bit wavs of 0.5 to 4 s; return their length in seconds."""
    rng = np.random.default_rng(0)
    wavs, samples = {}, 0
    for number in range(FILES):
        wave = 0.1 * rng.standard_normal(int(rng.uniform(0.5, 4.0) * RATE))
        wavs[f"utt{number:04d}"] = str(folder / f"{number}.wav")
        soundfile.write(wavs[f"utt{number:04d}"], wave, RATE)
        samples += len(wave)
    write_table(folder / "wav.scp", wavs)
    return samples / RATE


def _ours(wavs: dict[str, str], folder: Path, name: str, **options: int) -> None:
    with ArkWriter(folder / "ours.ark", folder / "ours.scp") as writer:
        extract_to_ark(wavs, build_feature(name, **options), writer, lambda _done: None)


def _read(wavs: dict[str, str]) -> None:
    for path in wavs.values():
        load_audio(path, RATE)


def _theirs(wavs: dict[str, str], folder: Path, extract: Extract) -> None:
    with kaldiio.WriteHelper(f"ark,scp:{folder}/theirs.ark,{folder}/theirs.scp") as writer:
        for name, path in wavs.items():
            writer(name, extract(soundfile.read(path, dtype="float32")[0]))


def _log_mel_peers() -> dict[str, Extract]:
    mel = torchaudio.transforms.MelSpectrogram(
        RATE, 512, 512, 160, f_min=50.0, f_max=8000.0, n_mels=MELS, norm="slaney", mel_scale="slaney"
    )
    stft, log = Stft(512, 512, 160), EspnetLogMel(fs=RATE, n_fft=512, n_mels=MELS, fmin=50, fmax=8000)

    def by_librosa(wave: np.ndarray) -> np.ndarray:
        power = librosa.feature.melspectrogram(
            y=wave, sr=RATE, n_fft=512, hop_length=160, n_mels=MELS, fmin=50, fmax=8000
        )
        return np.log(np.maximum(power, 1e-10)).T

    def by_torchaudio(wave: np.ndarray) -> np.ndarray:
        return mel(torch.from_numpy(wave)).clamp_(min=1e-10).log_().T.numpy()

    def by_espnet(wave: np.ndarray) -> np.ndarray:
        spectrum, _ = stft(torch.from_numpy(wave)[None])
        return log(spectrum.square().sum(-1))[0][0].numpy()

    return {"librosa": by_librosa, "torchaudio MelSpectrogram": by_torchaudio, "ESPnet's layer": by_espnet}


def _fbank_peers() -> dict[str, Extract]:
    def by_kaldi(wave: np.ndarray) -> np.ndarray:
        options = kaldi_native_fbank.FbankOptions()
        options.frame_opts.dither = 0.0
        options.mel_opts.num_bins = MELS
        bank = kaldi_native_fbank.OnlineFbank(options)
        bank.accept_waveform(RATE, wave * 32768)
        bank.input_finished()
        return np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])

    def by_torchaudio(wave: np.ndarray) -> np.ndarray:
        return torchaudio.compliance.kaldi.fbank(
            torch.from_numpy(wave)[None] * 32768, num_mel_bins=MELS, dither=0.0
        ).numpy()

    return {"kaldi-native-fbank": by_kaldi, "torchaudio compliance.kaldi": by_torchaudio}


def _cpu_seconds(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the least CPU time of each over the rounds, taken in turns after a round of warming up."""
    best = dict.fromkeys(runs, float("inf"))
    for warming_up in [True] + [False] * ROUNDS:
        for name, run in runs.items():
            started = time.process_time()
            run()
            if not warming_up:
                best[name] = min(best[name], time.process_time() - started)
    return best


def _job_cpu_seconds(folder: Path, wavs: dict[str, str], times: int) -> float:
    """Return the CPU time of one job as make_ark_feats.sh starts it, on the corpus taken several times."""
    write_table(folder / "long.scp", {f"{utt}-{i}": path for utt, path in wavs.items() for i in range(times)})
    (folder / "feature.yaml").write_text(f"name: log_mel\nn_mels: {MELS}\n", encoding="utf-8")
    command = [sys.executable, "-m", "espnet2_ext.bin.make_feats", "--wav-scp", "long.scp", "--feature", "feature.yaml"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [*command, "--out-ark", "job.ark", "--out-scp", "job.scp"],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    print_rows(rows())
