"""From a game's sound file to the clip that the table describes."""

import io

import numpy as np
import soundfile
from scipy.signal import resample_poly

from espnet2_ext.errors import UserError

RATE = 16000
_QUIET = 0.01  # of the peak
_MARGIN = int(0.02 * RATE)  # samples that are left of the quiet parts
_FULL_SCALE = 0.999


def decode_clip(content: bytes, name: str) -> np.ndarray:
    """Decode, take the mean of the channels, resample to 16 kHz, trim the quiet ends, and scale down what would clip.

    Args:
        content: An audio file: Ogg Vorbis or wav.
        name: What it is called in errors.

    Returns:
        (N,) int16 samples at 16 kHz.

    Raises:
        UserError: It is no audio, or silent.
    """
    try:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UserError(
            f"{name}: no readable audio ({error.error_string}); delete the package and download it again"
        ) from error
    wave = samples.mean(axis=1)
    if rate != RATE:
        # scipy's filter, not soxr's: the table's checksums are of its samples.
        divisor = np.gcd(rate, RATE)
        wave = resample_poly(wave, RATE // divisor, rate // divisor)
    peak = np.abs(wave).max(initial=0.0)
    if peak == 0.0:
        raise UserError(f"{name}: silent; delete the package and download it again")
    loud = np.flatnonzero(np.abs(wave) > _QUIET * peak)
    wave = wave[max(0, loud[0] - _MARGIN) : loud[-1] + 1 + _MARGIN]
    if peak > _FULL_SCALE:
        wave = wave / peak * _FULL_SCALE
    return np.round(wave * 32767.0).astype(np.int16)
