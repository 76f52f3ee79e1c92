"""The A-VB recipe on a generated corpus in the real layout: all stages, submissions, and nothing twice."""

import csv
import json
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from avb_miniature import COLUMNS, EXAMPLE, MISSING_WAVS, TYPES, make_corpus, tables, write_labels
from recipe_copy import RecipeCopy

from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.fileio.table import read_table
from espnet2_ext.mtl.task_spec import load_task_spec

RECIPE = "egs/avb/mtl1"
TASKS = ("type", "two", "high", "culture")
SMALL = ("--nj", "1", "--bootstrap", "20", "--mtl_args", "--max_epoch 1 --encoder_conf channels=[4,4,4,4,8]")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> RecipeCopy:
    folder = tmp_path_factory.mktemp("avb")
    make_corpus(folder / "corpus", spelling=EXAMPLE)
    return RecipeCopy(folder, RECIPE)


def run_all(recipe: RecipeCopy) -> str:
    """All stages with DRUW; waves into arks."""
    corpus = ("--avb_root", str(recipe.directory.parents[2] / "corpus"))
    tag = ("--mtl_config", "conf/tuning/train_druw.yaml", "--tag", "druw")
    output = recipe.run_ok("./run.sh", *corpus, *SMALL, "--team", "lab", *tag)
    waves = ("--feature", "conf/feature_wave.yaml", "--min_frames", "1600", "--stop_stage", "5", "--nj", "1")
    return output + recipe.run_ok("./run.sh", *corpus, *waves)


@pytest.fixture(scope="module")
def first_run(recipe: RecipeCopy) -> str:
    return run_all(recipe)


def test_scores_of_all_tasks(recipe: RecipeCopy, first_run: str) -> None:
    assert "warning: culture: 1 of 48 recordings of Train and Val lack a label" in first_run
    assert "2 of 64 ids have no wav" in first_run
    score = json.loads((recipe.directory / "exp/druw/predict_dev/score.json").read_text())
    assert score["n_utterances"] == 16
    text = json.dumps(score)
    for key in ("type_uar", "two_ccc", "high_ccc", "culture_ccc", "culture_pearson", "s_avb"):
        assert key in text, key
    assert (recipe.directory / "exp/druw/report/report.html").stat().st_size > 0
    assert (recipe.directory / "exp/druw/druw.zip").stat().st_size > 0


def test_submissions_of_the_blind_set(recipe: RecipeCopy, first_run: str) -> None:
    folder = recipe.directory / "exp/druw/predict_test"
    assert not (folder / "score.json").exists()
    records = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert len(records) == 15  # one of 16 has no wav
    found = {f"[{record['utt'].split('-')[1]}]": record for record in records}
    for task in TASKS:
        path = folder / f"A-VB-{task.capitalize()}_lab_1.csv"
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        assert header == ["File_ID", *(EXAMPLE.get(column, column) for column in COLUMNS[task])]
        assert [row[0] for row in rows] == [f"[{number:05d}]" for number in range(48, 64)]
        for row in rows:
            if row[0].strip("[]") in MISSING_WAVS:
                continue
            predicted = found[row[0]][task]
            if task == "type":
                assert row[1] == predicted["class"]
            else:
                wanted = [min(max(value, 0), 1) for value in predicted.values()]
                assert [float(cell) for cell in row[1:]] == pytest.approx(wanted, abs=2e-6)
        assert "16 rows, good" in recipe.run_ok("local/check_submission.py", path)


def test_every_weighting_parameter_is_trained(recipe: RecipeCopy, first_run: str) -> None:
    """One step is enough to move each log alpha^2 from 0, where it starts."""
    weights = torch.load(recipe.directory / "exp/druw/valid.score.ave.pth", weights_only=True)
    for task in TASKS:
        (value,) = (value for name, value in weights.items() if name.endswith(f"log_alpha2.{task}"))
        assert value != 0, task
    assert weights["heads.type.layers.0.weight"].shape[0] == 256
    assert weights["heads.type.layers.4.weight"].shape[0] == len(TYPES)


def test_waves_are_samples_at_16_khz(recipe: RecipeCopy, first_run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = read_table(recipe.directory / "data/train/wav.scp")
    monkeypatch.chdir(recipe.directory)
    reader = ArkReader("dump/raw/train/feats.scp")
    assert list(reader.keys()) == list(rows)
    for utt in list(rows)[:3]:
        with wave.open(rows[utt]) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert reader[utt][:, 0] == pytest.approx(samples / 32768, abs=1e-7)


def test_second_run_does_nothing(recipe: RecipeCopy, first_run: str) -> None:
    before = recipe.files()
    output = run_all(recipe)
    assert recipe.files() == before
    assert "train:" not in output


def test_a_task_without_label_file_is_left_out(recipe: RecipeCopy, first_run: str, tmp_path: Path) -> None:
    """Data preparation, in a copy of the recipe of its own."""
    make_corpus(tmp_path / "corpus")
    (tmp_path / "corpus/labels/two_info.csv").unlink()
    copy = RecipeCopy(tmp_path, RECIPE)
    output = copy.run_ok("./run.sh", "--avb_root", tmp_path / "corpus", "--stop_stage", "1")
    assert "two_info.csv: no such file; the task two is left out" in output
    assert load_task_spec(copy.directory / "data/tasks.yaml").names == ("type", "high", "culture")
    assert not (copy.directory / "data/train/utt2two").exists()


def test_wrong_root(recipe: RecipeCopy, tmp_path: Path) -> None:
    write_labels(tmp_path / "bare", tables())
    copy = ("--stop_stage", "1", "--tasks", "none.yaml")
    for root, options, message in (
        (tmp_path / "none", (), "no such directory"),
        (tmp_path / "a b", (), "white space"),
        (tmp_path, (), "has none of type_info.csv"),
        (tmp_path / "bare", (), "audio/wav: no such directory"),
        ("", copy, "none.yaml"),
    ):
        result = recipe.run("./run.sh", "--avb_root", root, "--stop_stage", "1", *options, env={"AVB_ROOT": ""})
        assert result.returncode != 0
        assert message in result.stderr.splitlines()[-1]
