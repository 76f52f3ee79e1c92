"""Miniatures of the three Debian packages of the recipe freeburst, and the table of their clips.

What the table says of a clip is computed here by other means than the recipe's: the resampling filter is summed tap by
tap from its formula, the rest follows in plain Python.
"""

import csv
import hashlib
import io
import math
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
HEDGEWARS, PLAYERS, OPENARENA = PACKAGES = ("hedgewars-data", "openarena-081-players", "openarena-data")
COLUMNS = ("utt_id", "package", "path_inside_package", "speaker", "performer", "sex", "creature", "language", "type",
           "verbal", "intensity", "split", "duration", "sha1")  # fmt: skip
# Clip of a game: type, verbal, intensity of the players' ones.
_VOICE = {"Amazing": ("joy", 1), "Boring": ("neutral", 1), "Coward": ("hostile", 1), "Uhoh": ("fear", 0),
          "Whatthe": ("surprise", 0)}  # fmt: skip
_PLAYER = {"pain25_1": ("pain", "0.2"), "pain100_1": ("pain", "1.0"), "death1": ("death", "0.8"),
           "jump1": ("effort", ""), "gasp": ("breath", "")}  # fmt: skip
_VOICES = {"British": "train", "Robot": "train", "Classic": "train", "Surfer": "dev", "Pirate": "test"}
_PLAYERS = {"angelyss": ("f", "train"), "grism": ("m", "train"), "kyonshi": ("f", "dev"), "sergei": ("m", "dev"),
            "liz": ("f", "test"), "smarine": ("m", "test")}  # fmt: skip
_PLAYER_PK3 = "usr/share/games/openarena/baseoa/pak2-players.pk3"
_BASE_PK3 = "usr/share/games/openarena/baseoa/pak0.pk3"
_MISSION_PK3 = "usr/share/games/openarena/missionpack/mp-pak0.pk3"


@dataclass(frozen=True)
class PackagedClip:
    """A file inside a package, and its row of the table."""

    path: str
    content: bytes
    row: Mapping[str, str]


def voice(seed: int, seconds: float, rate: int, pitch: float, noise: float, peak: float = 0.6) -> np.ndarray:
    """A harmonic sound (N,) with noise, between silences of 0.1 s."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * pitch * (t - 0.15 * t**2 / seconds)
    sound = sum(np.sin(k * phase) / k for k in range(1, 12)) + noise * rng.standard_normal(len(t))
    sound *= np.sin(np.pi * t / seconds) ** 0.5
    silence = np.zeros(rate // 10)
    return np.concatenate([silence, peak * sound / np.abs(sound).max(), silence])


def encode(wave: np.ndarray, rate: int, container: str) -> bytes:
    """Encode samples (N,) or (N, C) as `wav` (16 bit) or `ogg` (Vorbis)."""
    stream = io.BytesIO()
    name, subtype = {"wav": ("WAV", "PCM_16"), "ogg": ("OGG", "VORBIS")}[container]
    soundfile.write(stream, wave, rate, format=name, subtype=subtype)
    return stream.getvalue()


def expected_samples(content: bytes) -> np.ndarray:
    """The 16-bit samples at 16 kHz that the table's rule makes of a file."""
    decoded, rate = soundfile.read(io.BytesIO(content), always_2d=True)
    wave = decoded.sum(axis=1) / decoded.shape[1]
    wave = resample_by_taps(wave, rate) if rate != RATE else wave
    values = wave.tolist()
    peak = max(abs(value) for value in values)
    loud = [i for i, value in enumerate(values) if abs(value) > peak / 100]
    kept = values[max(0, loud[0] - 320) : loud[-1] + 321]
    gain = 0.999 / peak if peak > 0.999 else 1.0
    return np.array([round(value * gain * 32767) for value in kept], np.int16)


def resample_by_taps(wave: np.ndarray, rate: int) -> np.ndarray:
    """Resample (N,) to 16 kHz: a sinc under a Kaiser window (beta 5, ten zeros each side), at each output sample."""
    up, down = RATE // math.gcd(rate, RATE), rate // math.gcd(rate, RATE)
    half = 10 * max(up, down)
    offset = np.arange(-half, half + 1)
    taps = np.sinc(offset / max(up, down)) * np.kaiser(2 * half + 1, 5.0)
    taps *= up / taps.sum()
    # Times in steps of 1 / (rate * up); an input sample every `up`, an output sample every `down`.
    time = np.arange(math.ceil(len(wave) * up / down)) * down
    first = -((half - time) // up)
    inputs = first[:, None] + np.arange(2 * half // up + 1)
    places = time[:, None] - inputs * up + half
    valid = (inputs >= 0) & (inputs < len(wave)) & (places >= 0) & (places <= 2 * half)
    terms = wave[np.clip(inputs, 0, len(wave) - 1)] * taps[np.clip(places, 0, 2 * half)]
    return np.where(valid, terms, 0.0).sum(axis=1)


def make_row(package: str, path: str, content: bytes, labels: Mapping[str, str]) -> dict[str, str]:
    """The table's row of a clip."""
    samples = expected_samples(content)
    digest = hashlib.sha1(samples.astype("<i2").tobytes()).hexdigest()
    row = dict.fromkeys(COLUMNS, "") | {"creature": "0", "package": package, "path_inside_package": path}
    return row | dict(labels) | {"duration": f"{len(samples) / RATE:.4f}", "sha1": digest}


def miniature_clips() -> list[PackagedClip]:
    """60 clips of 12 speakers: 30 of train, 15 of dev, 15 of test; every type in each."""
    clips = []
    for number, (name, split) in enumerate(_VOICES.items()):
        for place, (clip, (kind, verbal)) in enumerate(_VOICE.items()):
            seed = 10 * number + place
            left = voice(seed, 0.45 + 0.05 * place, 44100, 110 + 20 * number + 15 * place, 0.1 + 0.5 * (place > 2))
            content = encode(np.stack([left, 0.5 * left], axis=1), 44100, "ogg")
            path = f"usr/share/games/hedgewars/Data/Sounds/voices/{name}/{clip}.ogg"
            labels = {"utt_id": f"hw_{name}_{clip}", "speaker": f"hw_{name}", "type": kind, "verbal": str(verbal)}
            row = make_row(HEDGEWARS, path, content, labels | {"language": "en", "split": split})
            clips.append(PackagedClip(path, content, row))
    for number, (name, (sex, split)) in enumerate(_PLAYERS.items()):
        clips += _player(name, sex, split, seed=100 + 10 * number, pk3=_BASE_PK3 if name == "grism" else _PLAYER_PK3)
    clips += _player("rott", "m", "train", seed=200, pk3=_MISSION_PK3)
    return clips


def _player(name: str, sex: str, split: str, seed: int, pk3: str) -> list[PackagedClip]:
    """Wavs with one channel at 22.05 kHz, of `grism` at 16 kHz, of `rott` Ogg at 44.1 kHz; some at full scale."""
    package = PLAYERS if pk3 == _PLAYER_PK3 else OPENARENA
    rate, container = {"grism": (16000, "wav"), "rott": (44100, "ogg")}.get(name, (22050, "wav"))
    clips = []
    for place, (clip, (kind, intensity)) in enumerate(_PLAYER.items()):
        pitch = (200 if sex == "f" else 120) + 25 * place
        peak = 1.0 if clip == "pain100_1" else 0.5
        wave = voice(seed + place, 0.4 + 0.04 * place, rate, pitch, 0.3 * place, peak)
        content = encode(wave, rate, container)
        folder = f"sound/voices/{name}" if pk3 == _MISSION_PK3 else f"sound/player/{name}"
        path = f"{pk3}:{folder}/{clip}.{container}"
        labels = {"utt_id": f"oa_{name}_{clip}", "speaker": f"oa_{name}", "type": kind, "verbal": "0", "sex": sex}
        row = make_row(package, path, content, labels | {"intensity": intensity, "split": split})
        clips.append(PackagedClip(path, content, row))
    return clips


def package_files(clips: Sequence[PackagedClip]) -> dict[str, bytes]:
    """The files of a package by path: clips, zip archives (.pk3) of clips, and one file that nobody wants."""
    files = {"usr/share/doc/copyright": b"free\n"}
    archives: dict[str, list[tuple[str, bytes]]] = {}
    for clip in clips:
        file, _, member = clip.path.partition(":")
        if member:
            archives.setdefault(file, [("default.cfg", b"bind x\n")]).append((member, clip.content))
        else:
            files[file] = clip.content
    for file, members in archives.items():
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members:
                archive.writestr(member, content)
        files[file] = stream.getvalue()
    return files


def write_deb(path: Path, files: Mapping[str, bytes], compression: str = "xz") -> Path:
    """Write a package: an ar archive of debian-binary, control.tar.xz and data.tar[.<compression>]."""
    # An odd size first: members begin at even places.
    control = _tar({"./control": b"Package: miniature\n"}, "xz")
    control += b"\0" * (1 - len(control) % 2)
    suffix = f".{compression}" if compression else ""
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": control,
        f"data.tar{suffix}": _tar({f"./{name}": content for name, content in files.items()}, compression),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(b"!<arch>\n")
        for name, content in members.items():
            stream.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
            stream.write(content + b"\n" * (len(content) % 2))
    return path


def _tar(files: Mapping[str, bytes], compression: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{compression}", format=tarfile.GNU_FORMAT) as tar:
        folders = sorted({str(parent) for name in files for parent in Path(name).parents})
        for folder in folders:
            info = tarfile.TarInfo(f"./{folder}" if folder != "." else ".")
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def write_packages(folder: Path, clips: Sequence[PackagedClip]) -> Path:
    """Write the three packages; returns their folder."""
    for name in PACKAGES:
        write_deb(folder / f"{name}_1.0_all.deb", package_files([c for c in clips if c.row["package"] == name]))
    return folder


def write_clip_table(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """Write the table of the clips."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def make_pk3(**members: bytes) -> bytes:
    """A zip archive, deflated, of members sound/<name>.wav."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"sound/{name}.wav", content)
    return stream.getvalue()


def torn(content: bytes) -> bytes:
    return content[: len(content) // 2]
