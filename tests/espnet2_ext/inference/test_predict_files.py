"""Trained models on audio files, and the command that writes their predictions."""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_model import burst, make_model

from espnet2_ext.bin import make_feats, mtl_predict
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.fileio.audio import load_audio
from espnet2_ext.inference import MTLInference

ROOT = Path(__file__).parents[3]


def call(exp: Path, cwd: Path, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "espnet2_ext.bin.mtl_inference", "--model", exp, *arguments]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    return subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd, env=env)


@pytest.mark.parametrize("evaluation", ["centre", "whole"])
def test_features_of_stage_2_and_predictions_of_stage_7(tmp_path: Path, evaluation: str) -> None:
    exp = tmp_path / "exp"
    make_model(exp, evaluation)
    inference = MTLInference.from_pretrained(exp)
    dump = tmp_path / "dump"
    dump.mkdir()
    lengths = {"a": (0.3, 16000), "b": (1.2, 16000), "c": (0.9, 44100)}
    for seed, (utt, (seconds, rate)) in enumerate(lengths.items()):
        soundfile.write(tmp_path / f"{utt}.wav", np.stack([burst(seconds, rate, seed)] * 2, axis=1), rate)
    (tmp_path / "wav.scp").write_text("".join(f"{utt} {tmp_path}/{utt}.wav\n" for utt in lengths))
    for name, label in (("emotion", "0.1 0.2"), ("age", "30"), ("country", "here")):
        (dump / f"utt2{name}").write_text("".join(f"{utt} {label}\n" for utt in lengths))
    make_feats.main(
        ["--wav-scp", f"{tmp_path}/wav.scp", "--feature", f"{exp}/feature.yaml", "--out-ark", f"{dump}/feats.ark",
         "--out-scp", f"{dump}/feats.scp"]
    )  # fmt: skip
    files = {utt: tmp_path / f"{utt}.wav" for utt in lengths}
    feats = inference.features([load_audio(path, 16000)[0] for path in files.values()])
    reader = ArkReader(dump / "feats.scp")
    for utt, matrix in zip(files, feats, strict=True):
        np.testing.assert_array_equal(matrix, reader[utt])
    out = tmp_path / "predictions.jsonl"
    mtl_predict.predict(
        argparse.Namespace(
            model=exp, weights="valid.score.ave.pth", dump=dump, out=out, batch_size=32, num_workers=0, device="cpu"
        )
    )
    stage_7 = [json.loads(line) for line in out.read_text().splitlines()]
    for record, (utt, result) in zip(stage_7, inference.predict_files(files, batch_size=2), strict=True):
        assert result.pop("notes")["mixed_down_from"] == 2
        assert record["utt"] == result["utt"] == utt
        assert record["country"]["class"] == result["country"]["class"]
        assert record["age"] == pytest.approx(result["age"], rel=1e-6)
        assert record["emotion"] == pytest.approx(result["emotion"], abs=1e-6)
        assert record["country"]["probabilities"] == pytest.approx(result["country"]["probabilities"], abs=1e-6)


def test_files_of_all_kinds_and_broken_ones(exp: Path, tmp_path: Path) -> None:
    files = tmp_path / "clips"
    (files / "deeper").mkdir(parents=True)
    for name in ("a.wav", "b.flac", "c.ogg", "deeper/d.MP3"):
        soundfile.write(
            files / name, (burst(0.8) * 2**15).astype(np.int16), 16000, format=name.rpartition(".")[2].upper()
        )
    soundfile.write(files / "e.wav", np.stack([burst(0.8, 96000)] * 2, axis=1), 96000)
    (files / "f.wav").write_text("this is no audio")
    (files / "g.wav").write_bytes(b"")
    soundfile.write(files / "h.wav", burst(65.0), 16000)
    (files / "i.wav").write_bytes((files / "a.wav").read_bytes()[:9000])
    (files / "notes.txt").write_text("left alone")
    result = call(exp, tmp_path, "--batch-size", 3, "--out", "out.jsonl", "clips")
    assert result.returncode == 1
    errors = [line.split(": ")[:2] for line in result.stderr.splitlines()]
    assert errors == [["error", f"clips/{name}.wav"] for name in "fgi"]
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    kept = ["a.wav", "b.flac", "c.ogg", "deeper/d.MP3", "e.wav", "h.wav"]
    assert [record["utt"] for record in records] == [f"clips/{name}" for name in kept]
    a, b, *_, e, h = records
    # 0.8 s are 81 frames of 10 ms where the first and the last are centred on the ends.
    assert a["notes"] == {"units": {"age": "years"}, "frames": 81, "clipped": 31, "padded": 0}
    assert (e["notes"]["resampled_from"], e["notes"]["mixed_down_from"]) == (96000, 2)
    # 50 frames of 10 ms are half a second.
    assert h["notes"] == {"units": {"age": "years"}, "frames": 6500, "clipped": 0, "padded": 0, "windows": 130}
    # The same integers, lossless in both.
    assert {**b, "utt": "clips/a.wav"} == a

    (tmp_path / "wav.scp").write_text("one clips/a.wav\ntwo clips/e.wav\n")
    result = call(exp, tmp_path, "--out", "out.csv", "wav.scp")
    assert result.returncode == 0, result.stderr
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["utt"] for row in rows] == ["one", "two"]
    assert float(rows[0]["age.age"]) == pytest.approx(a["age"]["age"], rel=1e-6)
    assert (rows[0]["country"], rows[0]["age.unit"], rows[0]["resampled_from"]) == (a["country"]["class"], "years", "")
    assert rows[1]["resampled_from"] == "96000"


def test_too_short_files_do_not_stop_the_others(inference: MTLInference, tmp_path: Path) -> None:
    """A resampled file of a sample or two may have none left."""
    soundfile.write(tmp_path / "tiny.wav", np.zeros(2), 96000)
    soundfile.write(tmp_path / "good.wav", burst(0.6), 16000)
    results = dict(inference.predict_files({name: tmp_path / f"{name}.wav" for name in ("tiny", "good")}))
    assert "age" in results["good"]
    assert isinstance(results["tiny"], UserError)
    assert "tiny.wav" in str(results["tiny"])


def test_windows_are_averaged(inference: MTLInference, tmp_path: Path) -> None:
    wave = burst(31.6)
    soundfile.write(tmp_path / "long.wav", wave, 16000, subtype="FLOAT")
    [(_, record)] = inference.predict_files({"long": tmp_path / "long.wav"})
    # The last tenth of a second is less than half a window.
    ages = [inference(wave[start : start + 8000], 16000)["age"]["age"] for start in range(0, len(wave) - 1600, 8000)]
    assert (record["notes"]["windows"], record["notes"]["clipped"]) == (len(ages), 10) == (63, 10)
    assert record["age"]["age"] == pytest.approx(np.mean(ages), rel=1e-5)


MEMORY = """
import resource, sys
from pathlib import Path
from espnet2_ext.inference import MTLInference
inference = MTLInference.from_pretrained(sys.argv[1])
for name in ("minutes", "hours"):
    [(_, record)] = inference.predict_files({name: Path(sys.argv[2], f"{name}.flac")})
    print(record["notes"]["windows"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_two_hours_take_the_memory_of_two_minutes(tmp_path: Path) -> None:
    make_model(tmp_path / "exp", "whole")
    minute = (burst(60.0) * 2**15).astype(np.int16)
    for name, minutes in (("minutes", 2), ("hours", 120)):
        with soundfile.SoundFile(tmp_path / f"{name}.flac", "w", 16000, 1) as file:
            for _ in range(minutes):
                file.write(minute)
    command = [sys.executable, "-c", MEMORY, tmp_path / "exp", tmp_path]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, env=env)
    assert result.returncode == 0, result.stderr
    (windows, little), (many, much) = ([int(word) for word in line.split()] for line in result.stdout.splitlines())
    assert (windows, many) == (4, 240)
    # The samples alone, as float32, are 439 MiB.
    assert much - little < 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "x.txt", "a.wav"], "ends in .jsonl or .csv"),
        (["--out", "x.csv", "pipes.scp"], "shell pipe is not run"),
        (["--out", "x.csv", "empty"], "holds no .wav"),
        (["--out", "x.csv", "nowhere.wav"], "none of 1 files could be predicted"),
        (["--out", "x.csv", "--batch-size", "0", "a.wav"], "--batch-size 0"),
    ],
)
def test_bad_calls(exp: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "pipes.scp").write_text("utt touch ran |\n")
    (tmp_path / "empty").mkdir()
    result = call(exp, tmp_path, *arguments)
    assert result.returncode == 1
    assert message in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "pipes.scp"]
