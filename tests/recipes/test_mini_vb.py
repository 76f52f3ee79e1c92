"""The synthetic recipe, small, through all stages."""

import json
import socket
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from recipe_copy import RecipeCopy
from safetensors.torch import load_file

SMALL = (
    "--local_data_opts", "--num_speakers 16 --clips_per_speaker 8", "--nj", "2", "--bootstrap", "50",
    "--mtl_args", "--max_epoch 2 --encoder_conf channels=[4,4,4,4,8]",
)  # fmt: skip


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> RecipeCopy:
    return RecipeCopy(tmp_path_factory.mktemp("mini_vb"), "egs/mini_vb/mtl1")


@pytest.fixture(scope="module")
def first_run(recipe: RecipeCopy) -> str:
    return recipe.run_ok("./run.sh", *SMALL, "--mtl_config", "conf/tuning/train_druw.yaml", "--tag", "druw")


def test_all_stages(recipe: RecipeCopy, first_run: str) -> None:
    exp = recipe.directory / "exp/druw"
    for name in ("valid.score.ave.pth", "config.yaml", "feature.yaml", "report/report.html", "report/RESULTS.md"):
        assert (exp / name).stat().st_size > 0, name
    assert (exp / "druw.zip").stat().st_size > 0
    score = json.loads((exp / "predict_dev/score.json").read_text())
    utts = [json.loads(line)["utt"] for line in (exp / "predict_dev/predictions.jsonl").read_text().splitlines()]
    dev = [line.split()[0] for line in (recipe.directory / "dump/log_mel/dev/feats.scp").read_text().splitlines()]
    assert utts == sorted(dev)
    assert "s_mtl" in json.dumps(score)


def test_packing_options(recipe: RecipeCopy, first_run: str) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is missing: tools/install.sh --extras onnx")
    options = (*SMALL, "--mtl_config", "conf/tuning/train_druw.yaml", "--tag", "druw", "--pack_opts", "--onnx true")
    pack = recipe.directory / "exp/druw/druw.zip"
    assert "model.onnx" not in zipfile.ZipFile(pack).namelist()
    recipe.run_ok("./mtl.sh", *options, "--stage", "10")
    with zipfile.ZipFile(pack) as archive:
        assert "model.onnx" in archive.namelist()
        assert b"| emotion | output | (batch, 10): values of" in archive.read("README.md")
    # The card holds the scores: new ones, new card.
    output = recipe.run_ok("./mtl.sh", *options, "--stage", "8", "--bootstrap", "40")
    assert "stage 10: pack: exp/druw/druw.zip" in output


def test_score_is_the_best_epochs(recipe: RecipeCopy, first_run: str) -> None:
    """What scoring computes from the predictions of one epoch's model is what validation reported for it."""
    exp = recipe.directory / "exp/druw"
    recipe.run_ok(
        "./mtl.sh", *SMALL, "--mtl_config", "conf/tuning/train_druw.yaml", "--tag", "druw", "--stage", "7",
        "--stop_stage", "8", "--inference_model", "valid.score.best.pth",
    )  # fmt: skip
    history = json.loads((exp / "history.json").read_text())
    best = (exp / "valid.score.best.pth").resolve().name.removesuffix("epoch.pth")
    score = json.loads((exp / "predict_dev/score.json").read_text())
    for name in ("emotion_ccc", "age_mae", "country_uar", "type_uar"):
        assert score["metrics"][name]["value"] == pytest.approx(history[best]["valid"][name], abs=1e-5), name
    assert score["score"]["value"] == pytest.approx(history[best]["valid"]["s_mtl"], abs=1e-5)


def test_second_run_does_nothing(recipe: RecipeCopy, first_run: str) -> None:
    recipe.run_ok("./run.sh", *SMALL, "--mtl_config", "conf/tuning/train_druw.yaml", "--tag", "druw")
    before = recipe.files()
    output = recipe.run_ok("./run.sh", *SMALL, "--mtl_config", "conf/tuning/train_druw.yaml", "--tag", "druw")
    assert recipe.files() == before
    assert output.count("is up to date") >= 13


def test_changed_options_train_anew_and_keep_the_old(recipe: RecipeCopy, first_run: str) -> None:
    arguments = (*SMALL[:-1], SMALL[-1].replace("2", "1", 1), "--tag", "druw")
    output = recipe.run_ok(
        "./mtl.sh", *arguments, "--mtl_config", "conf/tuning/train_druw.yaml", "--stage", "6", "--stop_stage", "6"
    )
    assert "the earlier experiment is kept as exp/druw." in output
    assert (recipe.directory / "exp/druw/1epoch.pth").exists()
    assert not (recipe.directory / "exp/druw/2epoch.pth").exists()


# In float32, rounding differs with the number of processes and training amplifies it; float64 shows what is computed.
DOUBLE = (*SMALL[:-1], SMALL[-1] + " --train_dtype float64")


def test_two_processes_give_the_metrics_of_one(recipe: RecipeCopy, first_run: str) -> None:
    for nproc in ("1", "2"):
        recipe.run_ok(
            "./run.sh", *DOUBLE, "--mtl_config", "conf/tuning/train_equal.yaml", "--tag", f"nproc{nproc}",
            "--nproc", nproc, "--stage", "6", "--stop_stage", "6",
        )  # fmt: skip
    one, two = (
        json.loads((recipe.directory / f"exp/nproc{n}/history.json").read_text())["2"]["valid"] for n in ("1", "2")
    )
    for name in ("emotion_ccc", "age_mae", "country_uar", "type_uar", "s_mtl"):
        assert two[name] == pytest.approx(one[name], abs=1e-6), name


def test_two_nodes_give_the_metrics_of_one(recipe: RecipeCopy, first_run: str) -> None:
    """Two nodes on this machine: the same command twice."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = (
        "./run.sh", *DOUBLE, "--mtl_config", "conf/tuning/train_equal.yaml", "--stage", "6", "--stop_stage", "6",
        "--train_threads", "1",
    )  # fmt: skip
    recipe.run_ok(*command, "--tag", "one_node")
    nodes = (*command, "--tag", "two_nodes", "--num_nodes", "2", "--rdzv_endpoint", f"127.0.0.1:{port}")
    with ThreadPoolExecutor(2) as pool:
        for output in [pool.submit(recipe.run_ok, *nodes) for _ in range(2)]:
            output.result()
    one, two = (
        json.loads((recipe.directory / f"exp/{tag}/history.json").read_text())["2"]["valid"]
        for tag in ("one_node", "two_nodes")
    )
    assert two["s_mtl"] == pytest.approx(one["s_mtl"], abs=1e-6)


def test_grid_prints_a_table_and_runs_no_cell_twice(recipe: RecipeCopy, first_run: str) -> None:
    single = "conf/tuning/train_single_emotion.yaml,conf/tuning/train_single_country.yaml"
    single += ",conf/tuning/train_single_age.yaml"
    rows = f"EW=conf/tuning/train_equal.yaml ST={single}"
    output = recipe.run_ok("./grid.sh", "--rows", rows, "--jobs", "2", "--", *SMALL)
    table = (recipe.directory / "exp/RESULTS.md").read_text()
    assert "EW" in table
    assert "ST" in table
    assert r"S\_MTL" in table
    assert "4 cells, 2 at a time" in output
    before = recipe.files()
    recipe.run_ok("./grid.sh", "--rows", rows, "--", *SMALL)
    changed = {path for path, time in recipe.files().items() if before.get(path) != time}
    assert not {path for path in changed if path.endswith(".pth")}


def test_run_sh_alone(recipe: RecipeCopy, first_run: str) -> None:
    """The recipe's one command: its grid, its table, the report of DRUW."""
    output = recipe.run_ok("./run.sh", *SMALL)
    table = (recipe.directory / "exp/TABLE.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in table if line.startswith(("| EW", "| DRUW", "| ST"))][:3] == [
        "| EW", "| DRUW", "| ST",
    ]  # fmt: skip
    plots = recipe.directory / "exp/train_druw_seed1/report/report.html"
    assert plots.stat().st_size > 0
    assert f"plots: {plots}" in output.splitlines()


def test_table_of_the_weightings(recipe: RecipeCopy, first_run: str) -> None:
    """local/table.sh: every row with every seed, dev and test, differences to equal weighting."""
    rows = "EW=conf/tuning/train_equal.yaml DWA=conf/tuning/train_dwa.yaml"
    output = recipe.run_ok("local/table.sh", "--rows", rows, "--seeds", "1 2", "--", *SMALL)
    assert "4 cells, 2 at a time" in output
    table = (recipe.directory / "exp/RESULTS.md").read_text()
    assert "## Set dev" in table
    assert "## Set test" in table
    assert table.count("### Differences to EW") == 2
    assert [line.split(" | ")[1] for line in table.splitlines() if line.startswith("| DWA |")][:1] == ["2"]


def test_table_over_a_pretrained_model(recipe: RecipeCopy, first_run: str) -> None:
    """local/table_ssl.sh: a frozen model stays as its folder has it, a fine-tuned one keeps its convolutions only."""
    pytest.importorskip("transformers", reason="transformers is missing: tools/install.sh --extras ssl")
    small = "--max_epoch 1 --batch_size 32 --crop_conf frames=8000 --exit_conf size=16 --exit_conf n_heads=2"
    rows = ("--archs", "branch", "--weightings", "druw")
    command = ("local/table_ssl.sh", *rows, "--mtl_args", small, "--", *SMALL[:-2])
    output = recipe.run_ok(*command)
    assert "2 cells, 2 at a time" in output
    table = (recipe.directory / "exp/SSL.md").read_text()
    assert "the numbers mean nothing" in table.splitlines()[0]
    assert [row for row in ("fine-tuned", "frozen") if f"| BRANCH:DRUW:{row} |" in table] == ["fine-tuned", "frozen"]
    given = load_file(recipe.directory / "downloads/tiny_ssl/model.safetensors")
    for mode, learns in (("fine-tuned", True), ("frozen", False)):
        weights = torch.load(
            recipe.directory / f"exp/train_ssl_branch_druw_{mode}_seed1/valid.score.best.pth", weights_only=True
        )
        name = "feature_extractor.conv_layers.6.conv.weight"
        assert torch.equal(weights["encoder.backbone.convolutions.6.conv.weight"], given[name]), mode
        for layer in range(12):
            name = f"layers.{layer}.attention.k_proj.weight"
            assert torch.equal(weights[f"encoder.backbone.{name}"], given[f"encoder.{name}"]) != learns, (mode, layer)
    before = recipe.files()
    recipe.run_ok(*command)
    changed = {path for path, time in recipe.files().items() if before.get(path) != time}
    assert not {path for path in changed if path.endswith(".pth")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no_such_option", "1"], "unknown option"),
        (["--stage", "six"], "whole numbers"),
        (["--mtl_config", "conf/none.yaml", "--stage", "6"], "conf/none.yaml"),
        (["--tasks", "conf/none.yaml"], "conf/none.yaml"),
        (["--num_nodes", "2", "--tag", "nodes", "--stage", "6", "--stop_stage", "6"], "rdzv_endpoint"),
    ],
)
def test_bad_options(recipe: RecipeCopy, first_run: str, arguments: list[str], message: str) -> None:
    result = recipe.run("./mtl.sh", *SMALL, *arguments)
    assert result.returncode != 0
    assert message in result.stderr.splitlines()[-1], result.stderr[-1000:]


def test_recipe_links_are_the_templates(recipe: RecipeCopy) -> None:
    template = Path(__file__).parents[2] / "egs/TEMPLATE/mtl1"
    assert (recipe.directory / "cmd.sh").read_text() == (template / "cmd.sh").read_text()
    assert (Path(__file__).parents[2] / "egs/mini_vb/mtl1/mtl.sh").resolve() == template / "mtl.sh"
