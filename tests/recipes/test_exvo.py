"""The ExVo recipe on a generated corpus in the real layout: both tables in small, submissions, and nothing twice."""

import csv
import json
import re
from pathlib import Path

import pytest
import torch
import yaml
from exvo_miniature import COLUMNS, make_corpus, write_table
from recipe_copy import RecipeCopy

RECIPE = "egs/exvo/mtl1"
ROWS = "EW=conf/tuning/train_equal.yaml DRUW=conf/tuning/train_druw.yaml"
RRTN = {"CNN10": "cnn10", "CNN10+twins": "cnn10_twins", "CNN10+twins+RUWL": "cnn10_ruwl"}
SMALL = ("--bootstrap", "20", "--mtl_args", "--max_epoch 1 --encoder_conf channels=[4,4,4,4,8]")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> RecipeCopy:
    folder = tmp_path_factory.mktemp("exvo")
    make_corpus(folder / "corpus")
    return RecipeCopy(folder, RECIPE)


def run_all(recipe: RecipeCopy) -> str:
    """Table 1 with two weightings and one baseline on the organisers' features; report and pack of DRUW."""
    corpus = str(recipe.directory.parents[2] / "corpus")
    output = recipe.run_ok(
        "local/table1.sh", "--exvo_root", corpus, "--rows", ROWS, "--seeds", "1", "--baselines", "egemaps",
        "--baseline_args", "--max_epoch 1", "--nj", "1", "--team", "lab", "--", *SMALL,
    )  # fmt: skip
    return output + recipe.run_ok(
        "./run.sh", "--exvo_root", corpus, "--nj", "1", "--team", "lab", *SMALL, "--mtl_config",
        "conf/tuning/train_druw.yaml", "--tag", "train_druw_seed1",
    )  # fmt: skip


def run_rrtn(recipe: RecipeCopy) -> str:
    """Table 2 of the twins' paper with one narrow encoder, two systems at a time."""
    return recipe.run_ok(
        "local/table_rrtn.sh", "--exvo_root", str(recipe.directory.parents[2] / "corpus"), "--encoders", "cnn10",
        "--seeds", "1", "--jobs", "2", "--nj", "1", "--", "--bootstrap", "20", "--mtl_args",
        "--max_epoch 1 --encoder_conf channels=[4,4,4,8]",
    )  # fmt: skip


@pytest.fixture(scope="module")
def first_rrtn_run(recipe: RecipeCopy) -> str:
    return run_rrtn(recipe)


@pytest.fixture(scope="module")
def first_run(recipe: RecipeCopy) -> str:
    return run_all(recipe)


def test_table_beside_the_paper(recipe: RecipeCopy, first_run: str) -> None:
    table = (recipe.directory / "exp/TABLE1.md").read_text()
    for row, paper in (("EW", "0.405"), ("DRUW", "0.423"), ("eGeMAPS", "0.324")):
        (line,) = re.findall(rf"^\| {row} \| 1 \|.*$", table, re.M)
        assert line.rstrip("| ").endswith(paper)
    assert "Differences to EW" in table
    assert "Differences to ST" not in table
    score = json.loads((recipe.directory / "exp/train_druw_seed1/predict_dev/score.json").read_text())
    assert score["n_utterances"] == 15
    assert score["n_speakers"] == 3


def test_blind_set_is_predicted_and_not_scored(recipe: RecipeCopy, first_run: str) -> None:
    folder = recipe.directory / "exp/train_druw_seed1/predict_test"
    assert len((folder / "predictions.jsonl").read_text().splitlines()) == 15
    assert not (folder / "score.json").exists()
    assert (recipe.directory / "exp/train_druw_seed1/report/report.html").stat().st_size > 0
    assert (recipe.directory / "exp/train_druw_seed1/train_druw_seed1.zip").stat().st_size > 0


def test_submissions(recipe: RecipeCopy, first_run: str) -> None:
    folders = ["exp/train_druw_seed1/predict_test", "exp/egemaps_seed1/predict_test", "exp/submissions/EW"]
    for folder in folders:
        path = recipe.directory / folder / "ExVo-Multi_lab_1.csv"
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["File_ID"] for row in rows] == [f"[{number:05d}]" for number in range(45, 60)]
        assert list(rows[0]) == ["File_ID", "Country", "Age", *COLUMNS[6:]]
        assert "15 rows, good" in recipe.run_ok("local/check_submission.py", path)
    predictions = (recipe.directory / "exp/train_equal_seed1/predict_test/predictions.jsonl").read_text().splitlines()
    record = json.loads(predictions[0])
    found = {f"[{record['utt'].split('-')[1]}]": record for record in map(json.loads, predictions)}
    names = ["China", "United_States", "South_Africa", "Venezuela"]
    for row in rows:
        record = found[row["File_ID"]]
        assert names[int(row["Country"])] == record["country"]["class"]
        assert float(row["Awe"]) == pytest.approx(record["emotion"]["Awe"], abs=2e-6)
        assert float(row["Age"]) == pytest.approx(min(max(record["age"]["Age"], 18), 45), abs=2e-6)


def test_every_weighting_parameter_is_trained(recipe: RecipeCopy, first_run: str) -> None:
    """One step is enough to move each log alpha^2 from 0, where it starts."""
    weights = torch.load(recipe.directory / "exp/train_druw_seed1/valid.score.ave.pth", weights_only=True)
    for task in ("emotion", "country", "age"):
        (value,) = (value for name, value in weights.items() if name.endswith(f"log_alpha2.{task}"))
        assert value != 0, task


def test_second_run_does_nothing(recipe: RecipeCopy, first_run: str) -> None:
    before = recipe.files()
    output = run_all(recipe)
    tables = {"exp/TABLE1.md"} | {f"exp/submissions/{row}/ExVo-Multi_lab_1.csv" for row in ("EW", "DRUW", "eGeMAPS")}
    assert {path for path, time in recipe.files().items() if before.get(path) != time} <= tables
    assert "train:" not in output


def test_rrtn_table(recipe: RecipeCopy, first_rrtn_run: str) -> None:
    """The paper's numbers beside ours, and its gains: 1.8 and 2.0 % over the encoder alone."""
    table = (recipe.directory / "exp/TABLE_RRTN.md").read_text()
    cells = {}
    for line in table.splitlines():
        if line.startswith("| CNN10"):
            name, *rest = [cell.strip() for cell in line.strip("|").split("|")]
            cells.setdefault(name, []).append(rest)
    paper = {"CNN10": ("4.95", "0.655"), "CNN10+twins": ("6.00", "0.667"), "CNN10+twins+RUWL": ("6.00", "0.668")}
    for name, numbers in paper.items():
        assert (cells[name][0][2], cells[name][0][4]) == numbers
        # Of one task there is no score beside its CCC; one column in the table of intervals.
        assert len(cells[name][0]) == 5
        assert len(cells[name][1]) == 1
    gains = {name: rows[0][-1] for name, rows in cells.items() if " over " in name}
    # .668 / .667: 0.15 %.
    assert gains == {
        "CNN10+twins over CNN10": "+1.8",
        "CNN10+twins+RUWL over CNN10": "+2.0",
        "CNN10+twins+RUWL over CNN10+twins": "+0.1",
    }
    counts = [
        yaml.safe_load((recipe.directory / f"exp/train_rrtn_{tag}_seed1/env.yaml").read_text())["n_parameters"]
        for tag in RRTN.values()
    ]
    # The projector maps 8 to 2048 with a bias; RUWL learns a number for each of three losses.
    assert [counts[1] - counts[0], counts[2] - counts[1]] == [8 * 2048 + 2048, 3]
    assert all(f"{count / 1e6:.2f}" == cells[name][0][1] for name, count in zip(RRTN, counts, strict=True))


def test_rrtn_second_run_does_nothing(recipe: RecipeCopy, first_rrtn_run: str) -> None:
    before = recipe.files()
    run_rrtn(recipe)
    changed = {path for path, time in recipe.files().items() if before.get(path) != time}
    assert {path for path in changed if not path.startswith("exp/grid/")} <= {"exp/TABLE_RRTN.md"}
    logs = [(recipe.directory / f"exp/grid/cell.{number}.log").read_text() for number in (1, 2, 3)]
    stages = [line for log in logs for line in log.splitlines() if " stage " in line]
    assert len(stages) >= 3 * 3
    assert all(line.endswith("is up to date") for line in stages)


def test_unknown_encoder(recipe: RecipeCopy) -> None:
    result = recipe.run("local/table_rrtn.sh", "--encoders", "cnn10 cnn6")
    assert result.returncode != 0
    assert result.stderr.splitlines()[-1].endswith("--encoders: cnn6: choose among resnet18, cnn10 and cnn14")


def test_wrong_root(recipe: RecipeCopy, tmp_path: Path) -> None:
    for root, message in (
        (tmp_path / "none", "no such directory"),
        (tmp_path / "a b", "white space"),
        ("", "EXVO_ROOT"),
    ):
        result = recipe.run("./run.sh", "--exvo_root", root, "--stop_stage", "1", env={"EXVO_ROOT": ""})
        assert result.returncode != 0
        assert message in result.stderr.splitlines()[-1]


def test_paper_has_a_row_for_each_of_the_table(recipe: RecipeCopy) -> None:
    """Table 1 of the paper: nine rows; the score is the harmonic mean of what is printed, to the last digit but one."""
    rows = yaml.safe_load((recipe.directory / "conf/paper.yaml").read_text())["rows"]
    assert list(rows) == ["ComParE", "eGeMAPS", "ST", "EW", "UW", "RUW", "RRUW", "DWA", "DRUW"]
    for name, row in rows.items():
        score = 3 / (1 / row["emotion_ccc"] + 1 / row["country_uar"] + row["age_mae"])
        assert score == pytest.approx(row["s_mtl"], abs=0.002), name


def test_a_table_that_was_mended_is_read_again(tmp_path: Path) -> None:
    """Stage 1 knows the table and the folder of wavs, and that a wav came later; then all is up to date."""
    table = make_corpus(tmp_path / "corpus")
    wav = tmp_path / "corpus/wav/00007.wav"
    held = wav.rename(tmp_path / "held.wav")
    copy = RecipeCopy(tmp_path, RECIPE)
    command = ("./run.sh", "--exvo_root", tmp_path / "corpus", "--stop_stage", "1")
    assert "1 of 60 ids have no wav" in copy.run_ok(*command)
    assert "up to date" in copy.run_ok(*command)
    held.rename(wav)
    assert "30 rows (released: 19990), 30 with a wav" in copy.run_ok(*command)
    table[0]["Age"] = "37.5"
    write_table(tmp_path / "corpus", table)
    copy.run_ok(*command)
    assert "Speaker_0-00000 37.5\n" in (copy.directory / "data/train/utt2age").read_text()
    assert "up to date" in copy.run_ok(*command)
