"""grid.sh: which cells it runs, with how many threads, and which rows its table has (the stages are stand-ins)."""

import json
import stat
from pathlib import Path

import pytest
from fake_experiment import make_spec, write_data, write_experiment, write_scored
from recipe_copy import RecipeCopy

SPEC = make_spec(3)
# It notes how it was called; as nproc does, the other one goes by OMP_NUM_THREADS.
MTL = """#!/usr/bin/env python3
import json, os, sys
with open("calls", "a") as file:
    file.write(json.dumps([sys.argv[1:], os.environ["OMP_NUM_THREADS"]]) + "\\n")
"""
NPROC = '#!/bin/sh\necho "${OMP_NUM_THREADS:-8}"\n'


@pytest.fixture
def recipe(tmp_path: Path) -> RecipeCopy:
    """A recipe whose experiments are there and scored, and whose machine has eight cores and no GPU."""
    copy = RecipeCopy(tmp_path / "copy", "egs/mini_vb/mtl1")
    for path, text in ((copy.directory / "mtl.sh", MTL), (tmp_path / "bin/nproc", NPROC)):
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    copy.env |= {"PATH": f"{tmp_path / 'bin'}:{copy.env['PATH']}", "CUDA_VISIBLE_DEVICES": ""}
    for number, name in enumerate(("dev", "test")):
        write_data(copy.directory / "dump" / name, SPEC, n=24, seed=number)
    for number, name in enumerate(("train_equal_seed1", "train_equal_seed2", "train_druw_seed1", "ref_a")):
        write_experiment(copy.directory / "exp" / name, SPEC, seed=2 if name.endswith("2") else 1)
        for set_name in ("dev", "test"):
            exp, data = copy.directory / "exp" / name, copy.directory / "dump" / set_name
            write_scored(exp, data, set_name, SPEC, noise=0.5 + 0.1 * number, seed=number)
    return copy


def calls(recipe: RecipeCopy) -> list[tuple[list[str], str]]:
    """Arguments of every call of mtl.sh, and its OMP_NUM_THREADS."""
    return [tuple(json.loads(line)) for line in (recipe.directory / "calls").read_text().splitlines()]


OPTIONS = ["--nj", "3", "--mtl_args", "--max_epoch 2 --optim_conf lr=1e-3"]


def cell(config: str, seed: int) -> list[str]:
    name = f"train_{config}"
    config = f"conf/tuning/{name}.yaml"
    return [
        "--mtl_config",
        config,
        "--seed",
        str(seed),
        "--tag",
        f"{name}_seed{seed}",
        "--stage",
        "6",
        "--stop_stage",
        "8",
    ]


@pytest.mark.parametrize(("jobs", "threads"), [(1, None), (2, "4"), (3, "2"), (20, "1")])
def test_cells_share_the_cores(recipe: RecipeCopy, jobs: int, threads: str | None) -> None:
    """Eight cores: cells that run run together have 8 / jobs threads each, one that runs alone what mtl.sh takes."""
    rows = "EW=conf/tuning/train_equal.yaml"
    recipe.run_ok("./grid.sh", "--rows", rows, "--seeds", "1 2", "--jobs", str(jobs), "--", *OPTIONS)
    (first, _), *cells = calls(recipe)
    assert first == [*OPTIONS, "--stage", "1", "--stop_stage", "5"]
    share = ["--train_threads", threads] if threads else []
    expected = [[*share, *OPTIONS, *cell("equal", seed)] for seed in (1, 2)]
    assert sorted(arguments for arguments, _ in cells) == expected
    # Whoever asks for the cores' number still knows that path.sh has set it for parallel jobs.
    assert {omp for _, omp in cells} == {"1"}


def test_rows_of_other_experiments_and_of_two_sets(recipe: RecipeCopy) -> None:
    rows = "EW=conf/tuning/train_equal.yaml DRUW=conf/tuning/train_druw.yaml"
    arguments = [
        "--rows",
        rows,
        "--more_rows",
        "SVM=exp/ref_a A=exp/ref_a",
        "--table_set",
        "dev test",
        "--title",
        "Two",
    ]
    output = recipe.run_ok("./grid.sh", *arguments, "--table_opts", "--against DRUW", "--out", "exp/T.md", "--")
    assert "2 cells, 1 at a time" in output
    assert [arguments for arguments, _ in calls(recipe)[1:]] == [cell("equal", 1), cell("druw", 1)]
    page = (recipe.directory / "exp/T.md").read_text()
    assert page.startswith("# Two\n")
    for name in ("dev", "test"):
        section = page.split(f"## Set {name}\n")[1].split("## Set ")[0]
        score = json.loads((recipe.directory / f"exp/ref_a/predict_{name}/score.json").read_text())
        value = f"{score['metrics']['emotion_ccc']['value']:.3f}"
        lines = [line for line in section.splitlines() if line.startswith("| ") and "---" not in line]
        firsts = [line.split(" | ")[0] for line in lines]
        assert firsts == [
            "| system", "| EW", "| DRUW", "| SVM", "| A", "| system", "| EW", "| DRUW", "| SVM", "| A",
            "| minus DRUW", "| EW", "| SVM", "| A",
        ]  # fmt: skip
        assert lines[3].split(" | ")[1:3] == ["1", value]


def test_a_missing_row_is_one_line(recipe: RecipeCopy) -> None:
    rows = "EW=conf/tuning/train_equal.yaml"
    done = recipe.run("./grid.sh", "--rows", rows, "--more_rows", "SVM=exp/none", "--out", "exp/T.md")
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1]
        == "error: --rows: SVM=exp/none: no experiment matches; train it or mend the pattern"
    )
    assert not (recipe.directory / "exp/T.md").exists()
