"""Parity on real speech: the voice of Debian's alsa-utils, 48 kHz recordings of a speaker naming loudspeakers."""

from pathlib import Path

import kaldi_native_fbank as knf
import librosa
import numpy as np
import pytest

from espnet2_ext.feature import build_feature
from espnet2_ext.fileio.audio import load_audio

VOICES = sorted(Path("/usr/share/sounds/alsa").glob("*_*.wav"))
pytestmark = pytest.mark.skipif(not VOICES, reason="no real speech here: apt-get install alsa-utils brings some")


def test_kaldi_fbank_is_kaldis() -> None:
    feature = build_feature("kaldi_fbank")
    options = knf.FbankOptions()
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = feature.dim
    options.energy_floor = 0.0
    for path in VOICES:
        wave, _ = load_audio(path, 16000)
        kaldi = knf.OnlineFbank(options)
        kaldi.accept_waveform(16000, (wave * 32768).tolist())
        kaldi.input_finished()
        expected = np.stack([kaldi.get_frame(i) for i in range(kaldi.num_frames_ready)])
        np.testing.assert_allclose(feature.extract([wave], 16000)[0], expected, rtol=0, atol=1e-2, err_msg=str(path))


def test_log_mel_is_librosas() -> None:
    feature = build_feature("log_mel")
    for path in VOICES:
        wave, _ = load_audio(path, 16000)
        power = librosa.feature.melspectrogram(
            y=wave.astype(np.float64), sr=16000, n_fft=512, hop_length=160, n_mels=64, fmin=50, fmax=8000
        )
        expected = np.log(np.maximum(power.T, 1e-10))
        np.testing.assert_allclose(feature.extract([wave], 16000)[0], expected, rtol=0, atol=1e-2, err_msg=str(path))
