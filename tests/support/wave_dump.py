"""A small dump directory made of wavs by the body of stage 2, for tests."""

from pathlib import Path

import numpy as np
import soundfile
import yaml
from speech_like import speech_like
from tiny_dump import make_dump

from espnet2_ext.feature import build_feature
from espnet2_ext.feature.extraction import extract_to_ark
from espnet2_ext.fileio.ark import ArkWriter
from espnet2_ext.fileio.table import read_table, write_table


def make_wave_dump(directory: Path, n_utts: int, seed: int, prefix: str, feature: dict[str, object]) -> None:
    """As `make_dump`, with wavs of 0.3 to 0.6 s (at 16 and at 22.05 kHz), wav.scp, feature.yaml and their features."""
    make_dump(directory, n_utts, seed, prefix)
    (directory / "wavs").mkdir()
    rng = np.random.default_rng(seed)
    wavs = {}
    for number, utt in enumerate(sorted(read_table(directory / "utt2spk"))):
        wavs[utt] = str(directory / f"wavs/{utt}.wav")
        wave = speech_like(float(rng.uniform(0.3, 0.6)), 16000, seed + number)
        soundfile.write(wavs[utt], wave, 16000 if number % 3 else 22050, subtype="PCM_16")
    write_table(directory / "wav.scp", wavs)
    (directory / "feature.yaml").write_text(yaml.safe_dump(feature))
    with ArkWriter(directory / "feats.ark", directory / "feats.scp") as writer:
        extract_to_ark(wavs, build_feature(**feature), writer, lambda _: None)
