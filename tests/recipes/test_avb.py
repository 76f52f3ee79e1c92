"""The A-VB recipe on a generated corpus in the real layout: three architectures on a tiny model, and the tables."""

import csv
import json
import re
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from avb_miniature import COLUMNS, EXAMPLE, MISSING_WAVS, TYPES, make_corpus, tables, write_labels
from hub_stand_in import hub_stand_in
from recipe_copy import RecipeCopy
from safetensors.torch import load_file
from tiny_ssl import make_ssl

from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.fileio.table import read_table
from espnet2_ext.mtl.task_spec import load_task_spec

RECIPE = "egs/avb/mtl1"
TASKS = ("type", "two", "high", "culture")
ARCHS = ("vanilla", "chain", "branch")
EXPERIMENTS = tuple(f"train_ssl_{arch}_druw_seed1" for arch in ARCHS)
# Half a second, one epoch; the model has wav2vec2-base's twelve layers and its 20 ms, and 16 units.
ARGS = "--max_epoch 1 --crop_conf frames=8000"
MODEL = {"num_hidden_layers": 12, "conv_dim": (8, 8, 8), "conv_kernel": (10, 8, 8), "conv_stride": (5, 8, 8)}
WAVES = ("--feature", "conf/feature_wave.yaml", "--min_frames", "1600")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> RecipeCopy:
    folder = tmp_path_factory.mktemp("avb")
    make_corpus(folder / "corpus", spelling=EXAMPLE)
    make_ssl(folder / "model", large=False, **MODEL)
    return RecipeCopy(folder, RECIPE)


def run_all(recipe: RecipeCopy) -> str:
    """Both tables with one weighting and the end-to-end baseline; then report and pack of each architecture."""
    folder = recipe.directory.parents[2]
    corpus = ("--avb_root", folder / "corpus", "--ssl_model", folder / "model", "--team", "lab", "--nj", "1")
    output = recipe.run_ok(
        "local/table1.sh", *corpus, "--weightings", "druw", "--seeds", "1", "--jobs", "2", "--bootstrap", "20",
        "--mtl_args", ARGS, "--baselines", "emo18", "--emo18_args", f"{ARGS} --encoder_conf channels=[4,4,4]",
    )  # fmt: skip
    for name in EXPERIMENTS:
        config = f"conf/tuning/{name.removesuffix('_seed1')}.yaml"
        output += recipe.run_ok(
            "./run.sh", *corpus, *WAVES, "--mtl_args", ARGS, "--mtl_config", config, "--tag", name, "--stage", "9",
        )  # fmt: skip
    return output


@pytest.fixture(scope="module")
def first_run(recipe: RecipeCopy) -> str:
    return run_all(recipe)


def test_scores_of_all_tasks(recipe: RecipeCopy, first_run: str) -> None:
    assert "warning: culture: 1 of 48 recordings of Train and Val lack a label" in first_run
    assert "2 of 64 ids have no wav" in first_run
    for name in EXPERIMENTS:
        folder = recipe.directory / "exp" / name
        score = json.loads((folder / "predict_dev/score.json").read_text())
        assert score["n_utterances"] == 16
        text = json.dumps(score)
        for key in ("type_uar", "two_ccc", "high_ccc", "culture_ccc", "culture_pearson", "s_avb"):
            assert key in text, key
        assert (folder / "report/report.html").stat().st_size > 0
        assert (folder / f"{name}.zip").stat().st_size > 0


def test_architectures(recipe: RecipeCopy, first_run: str) -> None:
    """What was trained, by the names and shapes of its weights; one step is enough to move each log alpha^2 from 0."""
    for arch, name in zip(ARCHS, EXPERIMENTS, strict=True):
        folder = recipe.directory / "exp" / name
        config = yaml.safe_load((folder / "config.yaml").read_text())
        assert config["heads"] == ("chain" if arch == "chain" else "parallel")
        assert config["exit_conf"]["pooling"] == ("branch" if arch == "branch" else "attention")
        weights = torch.load(folder / "valid.score.ave.pth", weights_only=True)
        for task in TASKS:
            (value,) = (value for key, value in weights.items() if key.endswith(f"log_alpha2.{task}"))
            assert value != 0, task
        shapes = [value.shape for key, value in weights.items() if re.search(r"heads\..*type\.layers\.\d", key)]
        assert (torch.Size([len(TYPES), 256]) in shapes) is True
        if arch != "branch":
            assert torch.Size([256, 16]) in shapes


def cells_of(table: str) -> dict[str, list[str]]:
    """Cells of the first table, by the name of the row."""
    lines = [line for line in table[: table.index("Mean and standard deviation")].splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows}


def test_tables_beside_the_paper(recipe: RecipeCopy, first_run: str) -> None:
    first = cells_of((recipe.directory / "exp/TABLE1.md").read_text())
    assert first["system"][1:-2:2] == [
        "type UAR", "two CCC", "two Pearson", "high CCC", "high Pearson", "culture CCC", "culture Pearson",
    ]  # fmt: skip
    assert list(first)[2:] == ["VANILLA:DRUW", "CHAIN:DRUW", "BRANCH:DRUW", "Emo-18"]
    assert first["CHAIN:DRUW"][2:9:2] == ["0.564", "0.702", "0.703", "0.729"]
    assert first["Emo-18"][2:9:2] == ["0.417", "0.499", "–", "0.564"]
    second = cells_of((recipe.directory / "exp/TABLE2.md").read_text())
    assert list(second)[2:] == ["Emo-18", "VANILLA", "CHAIN", "BRANCH", "combined"]
    assert second["combined"][2] == "0.556"
    # One row has the best of each column.
    for rows in (first, second):
        for column in range(1, len(rows["system"]), 2):
            marked = [name for name, cells in rows.items() if cells[column].startswith("▸")]
            assert len(marked) >= 1, rows["system"][column]


def read_predictions(path: Path) -> dict[str, dict]:
    return {record["utt"]: record for record in map(json.loads, path.read_text().splitlines())}


def test_combined_is_the_mean_of_the_architectures(recipe: RecipeCopy, first_run: str) -> None:
    exp = recipe.directory / "exp"
    found = read_predictions(exp / "combined_seed1/predict_test/predictions.jsonl")
    models = [read_predictions(exp / name / "predict_test/predictions.jsonl") for name in EXPERIMENTS]
    assert len(found) == 15  # one of 16 has no wav
    for utt, record in found.items():
        for name in ("Awe", "Surprise"):
            assert record["high"][name] == pytest.approx(np.mean([m[utt]["high"][name] for m in models]), rel=1e-5)
        shares = np.mean([list(model[utt]["type"]["probabilities"].values()) for model in models], axis=0)
        assert record["type"]["class"] == TYPES[int(shares.argmax())]


def test_submissions_of_the_blind_set(recipe: RecipeCopy, first_run: str) -> None:
    exp = recipe.directory / "exp"
    assert not list(exp.glob("*/predict_test/score.json"))
    for folder, name in (
        (exp / EXPERIMENTS[2] / "predict_test", EXPERIMENTS[2]),
        (exp / "submissions/combined", "combined_seed1"),
    ):
        found = read_predictions(exp / name / "predict_test/predictions.jsonl")
        by_id = {f"[{utt.split('-')[1]}]": record for utt, record in found.items()}
        for task in TASKS:
            path = folder / f"A-VB-{task.capitalize()}_lab_1.csv"
            with path.open(newline="") as file:
                header, *rows = csv.reader(file)
            assert header == ["File_ID", *(EXAMPLE.get(column, column) for column in COLUMNS[task])]
            assert [row[0] for row in rows] == [f"[{number:05d}]" for number in range(48, 64)]
            for row in rows:
                if row[0].strip("[]") in MISSING_WAVS:
                    continue
                predicted = by_id[row[0]][task]
                if task == "type":
                    assert row[1] == predicted["class"]
                else:
                    wanted = [min(max(value, 0), 1) for value in predicted.values()]
                    assert [float(cell) for cell in row[1:]] == pytest.approx(wanted, abs=2e-6)
        checked = recipe.run_ok("local/check_submission.py", *sorted(folder.glob("A-VB-*_lab_1.csv")))
        assert checked.count("16 rows, good") == 4


def test_waves_are_samples_at_16_khz(recipe: RecipeCopy, first_run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = read_table(recipe.directory / "data/train/wav.scp")
    monkeypatch.chdir(recipe.directory)
    reader = ArkReader("dump/raw/train/feats.scp")
    assert list(reader.keys()) == list(rows)
    for utt in list(rows)[:3]:
        with wave.open(rows[utt]) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert reader[utt][:, 0] == pytest.approx(samples / 32768, abs=1e-7)


@pytest.fixture(scope="module")
def fetched(recipe: RecipeCopy, first_run: str) -> Path:
    """The model as local/fetch_model.sh makes it of what the hub has: pickled weights."""
    folder = recipe.directory.parents[2]
    files = {path.name: path.read_bytes() for path in (folder / "model").iterdir()}
    torch.save(load_file(folder / "model/model.safetensors"), folder / "pickled")
    del files["model.safetensors"]
    files["pytorch_model.bin"] = (folder / "pickled").read_bytes()
    script = (recipe.directory / "local/fetch_model.sh").read_text()
    (commit,) = re.findall(r"^revision=([0-9a-f]{40}) ", script, re.M)
    with hub_stand_in() as server:
        server.repos["facebook/wav2vec2-base"] = {commit: files}
        hub = {"HF_ENDPOINT": server.url, "HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"}
        result = recipe.run("local/fetch_model.sh", env=hub)
        assert result.returncode == 0, result.stderr[-2000:]
    return recipe.directory / "downloads/wav2vec2-base"


def test_fetched_model(recipe: RecipeCopy, fetched: Path) -> None:
    found = load_file(fetched / "model.safetensors")
    wanted = load_file(recipe.directory.parents[2] / "model/model.safetensors")
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_hidden_states_made_once(recipe: RecipeCopy, fetched: Path) -> None:
    """Six layers of 16 units as features, two bytes a value; a chain on them, the dimensions of a task weighted too."""
    folder = recipe.directory.parents[2]
    options = (
        "--feature",
        "conf/feature_hidden_states.yaml",
        "--mtl_config",
        "conf/tuning/train_hidden_states_chain.yaml",
    )
    weights = "--dimension_weighting dwa --dimension_weighting_tasks high"
    recipe.run_ok(
        "./run.sh", "--avb_root", folder / "corpus", *options, "--tag", "hidden", "--nj", "1", "--bootstrap", "20",
        "--mtl_args", f"--max_epoch 1 --crop_conf frames=16 {weights}", "--stop_stage", "8",
    )  # fmt: skip
    dump = recipe.directory / "dump/hidden_states"
    assert yaml.safe_load((dump / "train/feature.yaml").read_text())["layers"] == [2, 4, 6, 8, 10, 12]
    rows = read_table(dump / "train/utt2num_frames")
    # 0.4 s: the first frame takes 325 samples, each other 320 more.
    assert set(rows.values()) == {str(1 + (6400 - 325) // 320)}
    sizes = sum(path.stat().st_size for path in (dump / "org/train").rglob("*.ark"))
    assert sizes < 1.1 * len(rows) * 19 * 6 * 16 * 2
    history = json.loads((recipe.directory / "exp/hidden/history.json").read_text())
    assert "weight_high_Surprise" in history["1"]["train"]
    assert "weight_culture_China_Awe" not in history["1"]["train"]
    assert len(list((recipe.directory / "exp/hidden/predict_test").glob("A-VB-*_team_1.csv"))) == 4


def test_second_run_does_nothing(recipe: RecipeCopy, first_run: str) -> None:
    before = recipe.files()
    output = run_all(recipe)
    changed = {path for path, time in recipe.files().items() if before.get(path) != time}
    assert {path for path in changed if not path.startswith(("exp/submissions/", "exp/grid/"))} <= {
        "exp/TABLE1.md", "exp/TABLE2.md", "exp/EMO18.md",
    }  # fmt: skip
    logs = [output, *(path.read_text() for path in (recipe.directory / "exp/grid").glob("cell.*.log"))]
    assert len(logs) == 4
    stages = [line for log in logs for line in log.splitlines() if " stage " in line]
    assert len(stages) > 3 * 3
    assert all(line.endswith("is up to date") for line in stages)


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
        (tmp_path / "bare", ("--ssl_model", tmp_path / "no_model"), "no_model: no such folder"),
        (tmp_path / "bare", ("--ssl_model", "a model"), "white space"),
    ):
        result = recipe.run("./run.sh", "--avb_root", root, "--stop_stage", "1", *options, env={"AVB_ROOT": ""})
        assert result.returncode != 0
        assert message in result.stderr.splitlines()[-1]


def test_a_label_file_that_was_mended_is_read_again(tmp_path: Path) -> None:
    found = make_corpus(tmp_path / "corpus")
    copy = RecipeCopy(tmp_path, RECIPE)
    command = ("./run.sh", "--avb_root", tmp_path / "corpus", "--stop_stage", "1")
    copy.run_ok(*command)
    assert "up to date" in copy.run_ok(*command)
    found["two"][0] |= {"Valence": "0.125", "Arousal": "0.75"}
    write_labels(tmp_path / "corpus", found)
    copy.run_ok(*command)
    assert read_table(copy.directory / "data/train/utt2two")["unknown00000-00000"] == "0.125 0.75"
    assert "up to date" in copy.run_ok(*command)
