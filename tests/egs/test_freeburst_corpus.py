"""The recipe freeburst: packages are read as dpkg-deb reads them, and clips are what arithmetic by hand says."""

import csv
import io
import shutil
import subprocess
import sys
import wave
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from voice_packages import (
    HEDGEWARS,
    OPENARENA,
    PLAYERS,
    PackagedClip,
    encode,
    make_row,
    miniature_clips,
    package_files,
    resample_by_taps,
    write_clip_table,
    write_deb,
    write_packages,
)

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "egs/freeburst/mtl1/local"
sys.path.insert(0, str(LOCAL))

from clip import decode_clip  # noqa: E402
from deb import find_debs, read_members  # noqa: E402

from espnet2_ext.errors import UserError  # noqa: E402

OGG = "usr/share/games/hedgewars/Data/Sounds/voices/British/Amazing.ogg"
PK3 = "usr/share/games/openarena/baseoa/pak2-players.pk3"


@pytest.fixture(scope="module")
def clips() -> list[PackagedClip]:
    return miniature_clips()


@pytest.fixture(scope="module")
def packages(clips: list[PackagedClip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_packages(tmp_path_factory.mktemp("debs"), clips)


def pk3(**members: bytes) -> bytes:
    """A zip archive, deflated, of members sound/<name>.wav."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"sound/{name}.wav", content)
    return stream.getvalue()


# --- local/deb.py


@pytest.mark.parametrize("compression", ["xz", "gz", "bz2", ""])
def test_members_are_read_in_the_packages_order(compression: str, tmp_path: Path) -> None:
    archive = pk3(one=b"1" * 999, two=b"22")
    deb = write_deb(tmp_path / "a_1_all.deb", {"usr/b": b"of b", PK3: archive, "usr/a": b"of a"}, compression)
    wanted = ["usr/a", f"{PK3}:sound/two.wav", f"{PK3}:sound/one.wav", "usr/b"]
    assert list(read_members(deb, wanted)) == [
        ("usr/b", b"of b"),
        (f"{PK3}:sound/two.wav", b"22"),
        (f"{PK3}:sound/one.wav", b"1" * 999),
        ("usr/a", b"of a"),
    ]


@pytest.mark.parametrize("compression", ["xz", "gzip", "none"])
def test_a_package_that_dpkg_deb_builds(compression: str, tmp_path: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is missing: the system is not of Debian's family")
    tree = tmp_path / "tree"
    files = {"usr/share/a long name, with blanks": b"abc", OGG: bytes(range(256)) * 50, "usr/empty": b""}
    files["usr/" + "deep/" * 30 + "file"] = b"its path has more than 100 characters"
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    (tree / "DEBIAN").mkdir()
    control = "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a\n"
    (tree / "DEBIAN/control").write_text(control)
    command = ["dpkg-deb", "--root-owner-group", f"-Z{compression}", "--build", tree, tmp_path / "a_1_all.deb"]
    subprocess.run(command, check=True, capture_output=True)
    assert dict(read_members(tmp_path / "a_1_all.deb", list(files))) == files


def test_dpkg_deb_reads_the_miniatures(packages: Path, clips: list[PackagedClip], tmp_path: Path) -> None:
    """What the other tests read is a package for Debian too, with the same files in it."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is missing: the system is not of Debian's family")
    for name in (HEDGEWARS, PLAYERS, OPENARENA):
        found = packages / f"{name}_1.0_all.deb"
        subprocess.run(["dpkg-deb", "--extract", found, tmp_path / name], check=True, capture_output=True)
        own = [clip for clip in clips if clip.row["package"] == name]
        read = dict(read_members(found, [clip.path for clip in own]))
        for clip in own:
            file, _, member = clip.path.partition(":")
            path = tmp_path / name / file
            content = zipfile.ZipFile(path).read(member) if member else path.read_bytes()
            assert read[clip.path] == content, clip.path


def torn(content: bytes) -> bytes:
    return content[: len(content) // 2]


def bad_package(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "a_1_all.deb"
    good = {
        "usr/a": b"a",
        PK3: pk3(one=np.random.default_rng(0).bytes(5000)),
        "usr/z": np.random.default_rng(1).bytes(5000),
    }
    compression = "" if "plain" in kind else "xz"
    if kind == "zip that ends early":
        good[PK3] = torn(good[PK3])
    if kind == "zip with other bytes":
        good[PK3] = good[PK3][:200] + bytes(1000) + good[PK3][1200:]
    content = write_deb(path, good, compression).read_bytes()
    changed = {
        "text": b"not a package\n",
        "empty": b"",
        "magic only": b"!<arch>\n",
        "no data": content[: content.index(b"data.tar")],
        "torn": torn(content),
        "torn plain": content[:-6000],
        "zstd": content.replace(b"data.tar.xz ", b"data.tar.zst"),
        "broken xz": content.replace(b"\xfd7zXZ", b"\xfd7zXY"),
        "odd header": content.replace(b"control.tar.xz", b"contrl")[:80] + b"x" * 100,
    }
    path.write_bytes(changed.get(kind, content))
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "no Debian package; delete it and download it again"),
        ("empty", "no Debian package"),
        ("magic only", "ends before its data"),
        ("no data", "ends before its data"),
        ("torn", "ends within its data"),
        ("torn plain", "ends within its data"),
        ("zstd", "packed with zstd; get the package of Debian 12"),
        ("broken xz", "cannot be read as a Debian package"),
        ("odd header", "cannot be read as a Debian package"),
        ("zip that ends early", "cannot be read as a Debian package"),
        ("zip with other bytes", "cannot be read as a Debian package"),
        ("no such file", "has no usr/b; it is another version: labels.csv is of Debian 12"),
        ("no such member", f"{PK3} has no sound/two.wav; it is another version"),
    ],
)
def test_what_is_no_package_is_one_line(kind: str, message: str, tmp_path: Path) -> None:
    deb = bad_package(tmp_path, kind)
    wanted = ["usr/a", f"{PK3}:sound/one.wav", "usr/z"]
    wanted += ["usr/b"] if kind == "no such file" else []
    wanted += [f"{PK3}:sound/two.wav"] if kind == "no such member" else []
    with pytest.raises(UserError) as caught:
        list(read_members(deb, wanted))
    assert str(caught.value).startswith(f"{deb}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_find_debs(tmp_path: Path) -> None:
    names = ("one", "one-data")
    for name in ("one_1.0_all.deb", "one-data_2.0_all.deb", "other_1_all.deb"):
        (tmp_path / name).touch()
    assert find_debs(tmp_path, names) == {
        "one": tmp_path / "one_1.0_all.deb", "one-data": tmp_path / "one-data_2.0_all.deb",
    }  # fmt: skip
    (tmp_path / "one_1.1_all.deb").touch()
    with pytest.raises(UserError, match=r"2 files one_\*\.deb; one is needed of one, one-data"):
        find_debs(tmp_path, names)
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(UserError, match=r"no lost_<version>\.deb"):
            find_debs(folder, ("lost",))


# --- local/clip.py


def pcm(samples: np.ndarray, rate: int = 16000) -> bytes:
    """A wav of int16 samples (N,) or (N, C), byte by byte as given."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return stream.getvalue()


def test_quiet_ends_are_trimmed_to_a_margin_of_20_ms() -> None:
    """At 16 kHz: 320 samples stay before the first and behind the last above a hundredth of the peak."""
    samples = np.zeros(4000, np.int16)
    samples[:1000] = 80  # exactly 1 % of the peak: quiet
    samples[1000:1500] = 8000
    samples[2000] = -81  # the last that is louder
    samples[2001:] = -79
    clip = decode_clip(pcm(samples), "a")
    # 32767 / 32768 is nearer to each value than half a step: the samples stay as they are.
    assert np.array_equal(clip, samples[1000 - 320 : 2001 + 320])
    assert clip.dtype == np.int16


def test_a_sound_up_to_the_ends_stays_whole() -> None:
    samples = np.array([8000, -5, 3, 6000] * 50, np.int16)
    assert np.array_equal(decode_clip(pcm(samples), "a"), samples)


def test_channels_become_their_mean() -> None:
    samples = np.array([[8000, 4000], [-3000, -1000], [100, -100], [7001, 5001]] * 100, np.int16)
    assert np.array_equal(decode_clip(pcm(samples), "a"), np.tile([6000, -2000, 0, 6001], 100))


@pytest.mark.parametrize(
    ("peak", "expected"),
    # 0.999 * 32767 = 32734.2; a peak of 32735 / 32768 = 0.99899 is below 0.999 and stays.
    [(32767, 32734), (-32768, -32734), (32736, 32734), (32735, 32734), (32000, 31999)],
)
def test_what_would_clip_is_scaled_down(peak: int, expected: int) -> None:
    samples = np.array([peak, 16384, -8192, 0] * 10, np.int16)
    clip = decode_clip(pcm(samples), "a")
    assert clip[0] == expected
    gain = 0.999 / (abs(peak) / 32768) if abs(peak) > 0.999 * 32768 else 1
    assert clip[1] == round(16384 / 32768 * gain * 32767)


def test_a_decoded_peak_above_one() -> None:
    """As Vorbis may decode to, and floats here hold."""
    stream = io.BytesIO()
    soundfile.write(stream, np.array([1.6, -0.8, 0.4, 0.0] * 20), 16000, format="WAV", subtype="FLOAT")
    clip = decode_clip(stream.getvalue(), "a")
    assert clip[:4].tolist() == [32734, -16367, 8184, 0]  # 0.999 * 32767 times 1, -1/2, 1/4


@pytest.mark.parametrize(
    ("rate", "length"), [(44100, 44100), (44100, 30001), (22050, 11025), (48000, 5000), (8000, 777)]
)
def test_resampling(rate: int, length: int) -> None:
    """ceil(N * 16000 / rate) samples; each the sum over the filter's taps."""
    rng = np.random.default_rng(length)
    samples = np.round(8000 * np.sin(np.arange(length) * 2 * np.pi * 440 / rate) + rng.normal(0, 500, length))
    samples[[0, -1]] = 16000  # loud at the ends: nothing is trimmed
    clip = decode_clip(pcm(samples, rate), "a")
    assert len(clip) == -(-length * 16000 // rate)
    assert np.array_equal(clip, np.round(resample_by_taps(samples / 32768, rate) * 32767))


def test_resampling_keeps_tones_and_removes_what_is_above() -> None:
    t = np.arange(44100) / 44100
    clip = decode_clip(
        pcm(np.round(8000 * np.sin(2 * np.pi * 1000 * t) + 8000 * np.sin(2 * np.pi * 12000 * t)), 44100), "a"
    )
    expected = 8000 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    # Trimming may take a few samples off the ends, where the tone is quiet.
    assert len(clip) == 16000
    assert np.abs(clip[200:-200] - expected[200:-200]).max() < 30


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pcm(np.zeros(500, np.int16)), "silent"),
        (pcm(np.zeros(500, np.int16), 44100), "silent"),
        (pcm(np.zeros(0, np.int16), 44100), "silent"),
        (b"this is a text\n", "no readable audio"),
        (b"", "no readable audio"),
        (encode(np.ones(4000) / 2, 16000, "ogg")[:40], "no readable audio"),
    ],
    # An Ogg stream has a random number, which would be in a name made of the content.
    ids=["silence", "silence at 44.1 kHz", "no sample", "text", "nothing", "torn"],
)
def test_what_is_no_voice_is_one_line(content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        decode_clip(content, "a.deb: sound/a.wav")
    assert str(caught.value).startswith("a.deb: sound/a.wav: ")
    assert "\n" not in str(caught.value)


# --- local/make_corpus.py


def make_corpus(debs: Path, table: Path, out: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "LC_ALL": "C", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, LOCAL / "make_corpus.py", "--debs", debs, "--table", table, "--out", out]
    return subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)


def test_corpus_has_the_tables_samples(packages: Path, clips: list[PackagedClip], tmp_path: Path) -> None:
    """No warning: every checksum is the one that was computed by other means."""
    rows = [clip.row for clip in clips]
    out = tmp_path / "downloads/freeburst"
    done = make_corpus(packages, write_clip_table(tmp_path / "labels.csv", rows), out)
    assert (done.returncode, done.stderr) == (0, "")
    with open(out / "labels.csv", encoding="utf-8", newline="") as file:
        made = list(csv.DictReader(file))
    assert list(made[0]) == ["file", "speaker", "split", "type", "verbal", "sex", "intensity"]
    assert made[0] == {
        "file": "hw_British/Amazing.wav", "speaker": "hw_British", "split": "train", "type": "Joy", "verbal": "Word",
        "sex": "", "intensity": "",
    }  # fmt: skip
    by_file = {row["file"]: row for row in made}
    assert by_file["oa_angelyss/pain25_1.wav"] == {
        "file": "oa_angelyss/pain25_1.wav", "speaker": "oa_angelyss", "split": "train", "type": "Pain",
        "verbal": "Burst", "sex": "Female", "intensity": "0.2",
    }  # fmt: skip
    assert by_file["oa_grism/gasp.wav"]["sex"] == "Male"
    assert len(made) == len(rows) == 60
    for clip, row in zip(clips, made, strict=True):
        with wave.open(str(out / "wav" / row["file"])) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
            assert file.getnframes() / 16000 == pytest.approx(float(clip.row["duration"]), abs=1e-4)
    assert {path.name for path in out.iterdir()} == {"wav", "labels.csv"}
    assert [path.name for path in out.parent.iterdir()] == ["freeburst"]


@pytest.fixture
def few(tmp_path: Path) -> Callable[..., Path]:
    """Write three small packages, one clip in each; returns the table, changed as told."""
    sound = encode(np.sin(np.arange(8000) / 9) * 0.5, 16000, "wav")

    def write(content: bytes = sound, **changes: str) -> Path:
        paths = {HEDGEWARS: OGG, PLAYERS: f"{PK3}:sound/a.wav", OPENARENA: f"{PK3}:sound/b.wav"}
        labels = {"speaker": "s1", "type": "joy", "verbal": "0", "split": "train"}
        made = []
        for number, (package, path) in enumerate(paths.items()):
            row = make_row(package, path, sound, labels | {"utt_id": f"s1_{number}"})
            made.append(PackagedClip(path, content if package == HEDGEWARS else sound, row))
        for package in paths:
            own = [clip for clip in made if clip.row["package"] == package]
            write_deb(tmp_path / f"debs/{package}_1_all.deb", package_files(own))
        made[0] = replace(made[0], row=dict(made[0].row) | changes)
        return write_clip_table(tmp_path / "labels.csv", [clip.row for clip in made])

    return write


def test_another_checksum_is_a_warning(few: Callable[..., Path], tmp_path: Path) -> None:
    done = make_corpus(tmp_path / "debs", few(sha1="0" * 40), tmp_path / "out")
    assert done.returncode == 0
    assert done.stderr == "warning: 1 of 3 clips differ from the table's checksums: another decoder\n"
    assert done.stdout == f"{tmp_path / 'out'}: 3 clips\n"


@pytest.mark.parametrize(("duration", "status"), [("0.5195", 0), ("0.4805", 0), ("0.5210", 1), ("0.4790", 1)])
def test_durations_differ_by_at_most_20_ms(
    few: Callable[..., Path], tmp_path: Path, duration: str, status: int
) -> None:
    """The clip lasts 0.5 s: 8000 samples at 16 kHz."""
    done = make_corpus(tmp_path / "debs", few(duration=duration), tmp_path / "out")
    assert done.returncode == status
    if status:
        assert f"{OGG}: lasts 0.500 s, not {duration} s: it is another version" in done.stderr
        assert_nothing_made(done, tmp_path)


def assert_nothing_made(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    """One line, and no file of the corpus, finished or not."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert sorted(path.name for path in folder.iterdir()) == ["debs", "labels.csv"]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no package", f"debs: no {PLAYERS}_<version>.deb; one is needed of {HEDGEWARS}, {PLAYERS}, {OPENARENA}"),
        ("two versions", f"debs: 2 files {OPENARENA}_*.deb; one is needed of"),
        ("text", f"{OPENARENA}_1_all.deb: no Debian package; delete it and download it again"),
        ("torn", f"{OPENARENA}_1_all.deb: ends within its data; delete it and download it again"),
        ("clip missing", f"{HEDGEWARS}_1_all.deb: has no usr/other.ogg; it is another version"),
        ("silent", f"{HEDGEWARS}_1_all.deb: {OGG}: silent; delete the package and download it again"),
        ("no audio", f"{HEDGEWARS}_1_all.deb: {OGG}: no readable audio"),
        ("torn zip", f"{OPENARENA}_1_all.deb: cannot be read as a Debian package"),
    ],
)
def test_bad_packages_leave_nothing(few: Callable[..., Path], tmp_path: Path, case: str, message: str) -> None:
    """The last package fails when the clips of the others have been written."""
    content = {"silent": encode(np.zeros(8000), 16000, "wav"), "no audio": b"text"}.get(case)
    changes = {"path_inside_package": "usr/other.ogg"} if case == "clip missing" else {}
    table = few(**changes) if content is None else few(content)
    last = tmp_path / f"debs/{OPENARENA}_1_all.deb"
    if case == "no package":
        (tmp_path / f"debs/{PLAYERS}_1_all.deb").unlink()
    elif case == "two versions":
        shutil.copy(last, last.with_name(f"{OPENARENA}_2_all.deb"))
    elif case == "text":
        last.write_text("not found\n")
    elif case == "torn":
        last.write_bytes(torn(last.read_bytes()))
    elif case == "torn zip":
        write_deb(last, {PK3: torn(pk3(b=np.random.default_rng(0).bytes(3000)))})
    done = make_corpus(tmp_path / "debs", table, tmp_path / "out")
    assert message in done.stderr
    assert_nothing_made(done, tmp_path)


def test_a_failure_keeps_the_corpus_that_was_there(few: Callable[..., Path], tmp_path: Path) -> None:
    assert make_corpus(tmp_path / "debs", few(), tmp_path / "out").returncode == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert make_corpus(tmp_path / "debs", few(duration="9"), tmp_path / "out").returncode == 1
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    (tmp_path / "out/wav/s1/old.wav").touch()
    assert make_corpus(tmp_path / "debs", few(), tmp_path / "out").returncode == 0
    assert sorted(path.name for path in (tmp_path / "out/wav/s1").iterdir()) == ["0.wav", "1.wav", "2.wav"]


# --- the table that the recipe brings


def test_the_recipes_table() -> None:
    """Ids and paths are unique, labels are the tasks', every set has every type, and no speaker is in two sets."""
    with open(LOCAL / "labels.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["utt_id"] for row in rows}) == len({row["path_inside_package"] for row in rows}) == len(rows)
    assert len({row["sha1"] for row in rows}) == len(rows)
    kinds = {"pain", "death", "effort", "breath", "fear", "joy", "hostile", "surprise", "neutral"}
    for split in ("train", "dev", "test"):
        own = [row for row in rows if row["split"] == split]
        assert {row["type"] for row in own} == kinds
        assert {row["verbal"] for row in own} == {"0", "1"}
        assert {row["sex"] for row in own} == {"", "f", "m"}
    assert all(row["utt_id"].startswith(row["speaker"] + "_") for row in rows)
    assert all(0.1 < float(row["duration"]) < 30 for row in rows)
    assert all(row["intensity"] == "" or 0 <= float(row["intensity"]) <= 1 for row in rows)
    assert {row["type"] for row in rows if row["intensity"]} == {"pain", "death"}
    sets = {}
    assert all(sets.setdefault(row["speaker"], row["split"]) == row["split"] for row in rows)
