"""What the values in the tables of a data directory must be; each check raises a UserError with the remedy."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

from espnet2_ext.errors import UserError


def check_wav(path: Path, utt: str, value: str, allow_pipes: bool) -> None:
    """Check that a value names an audio file."""
    if value.endswith("|") or value.startswith("|"):
        if not allow_pipes:
            raise UserError(f"{path}: {utt}: a pipe would run a command; write the audio to a file and name that")
        return
    if value.startswith("~"):
        raise UserError(f"{path}: {utt}: ~ is not expanded; write the whole path")
    file = Path(value)
    if not file.is_file():
        raise UserError(f"{path}: {utt}: {value}: no such file; mend the path or remove the utterance")
    if file.stat().st_size == 0:
        raise UserError(f"{path}: {utt}: {value}: the file is empty; copy it again or remove the utterance")


@cache
def _reads_wavs(directory: Path) -> bool:
    from espnet2_ext.feature import load_feature

    path = directory / "feature.yaml"
    return path.exists() and load_feature(path).reads_wavs


def check_feats(path: Path, utt: str, value: str, allow_pipes: bool) -> None:
    """Check that a value names an entry of an archive, or audio where features are read from it."""
    if "|" in value:
        if not allow_pipes:
            raise UserError(f"{path}: {utt}: a pipe would run a command; write an ark and name that")
        return
    if path.name == "feats.scp" and _reads_wavs(path.parent):
        check_wav(path, utt, value, allow_pipes)
        return
    file, _, offset = value.rpartition(":")
    if not file or not offset.isdecimal():
        raise UserError(f"{path}: {utt}: {value!r} is not <ark>:<offset>; extract the features again")
    if not Path(file).is_file() or Path(file).stat().st_size <= int(offset):
        raise UserError(f"{path}: {utt}: {file}: missing or shorter than {offset} bytes; extract the features again")


def _check_positive(whole: bool) -> Callable[[Path, str, str, bool], None]:
    kind = "whole number" if whole else "number"

    def check(path: Path, utt: str, value: str, _allow_pipes: bool) -> None:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf or (whole and number != int(number)):
            raise UserError(f"{path}: {utt}: {value!r} is not a positive {kind}; measure it again")

    return check


def _check_warp(path: Path, key: str, value: str, _allow_pipes: bool) -> None:
    try:
        good = 0.5 < float(value) < 1.5
    except ValueError:
        good = False
    if not good:
        raise UserError(f"{path}: {key}: {value!r} is not a warp factor between 0.5 and 1.5")


def _check_gender(path: Path, spk: str, value: str, _allow_pipes: bool) -> None:
    if value not in ("m", "f"):
        raise UserError(f"{path}: {spk}: {value!r}: Kaldi knows m and f here; use a label file utt2gender instead")


# What the values of a file must be, where there is a rule.
VALUE_CHECKS: dict[str, Callable[[Path, str, str, bool], None]] = {
    "wav.scp": check_wav,
    "feats.scp": check_feats,
    "utt2dur": _check_positive(whole=False),
    "utt2num_frames": _check_positive(whole=True),
    "utt2warp": _check_warp,
    "spk2warp": _check_warp,
    "spk2gender": _check_gender,
}
