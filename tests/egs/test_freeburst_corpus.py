"""The recipe freeburst: the corpus that is made of packages, and the recipe's table of clips."""

import csv
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
from voice_packages import (
    HEDGEWARS,
    OPENARENA,
    PLAYERS,
    PackagedClip,
    encode,
    make_pk3,
    make_row,
    miniature_clips,
    package_files,
    torn,
    write_clip_table,
    write_deb,
    write_packages,
)

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "egs/freeburst/mtl1/local"
sys.path.insert(0, str(LOCAL))

from deb import read_members  # noqa: E402

OGG = "usr/share/games/hedgewars/Data/Sounds/voices/British/Amazing.ogg"
PK3 = "usr/share/games/openarena/baseoa/pak2-players.pk3"


@pytest.fixture(scope="module")
def clips() -> list[PackagedClip]:
    return miniature_clips()


@pytest.fixture(scope="module")
def packages(clips: list[PackagedClip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_packages(tmp_path_factory.mktemp("debs"), clips)


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
        write_deb(last, {PK3: torn(make_pk3(b=np.random.default_rng(0).bytes(3000)))})
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
