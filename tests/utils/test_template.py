"""egs/TEMPLATE/mtl1: setup.sh makes a recipe whose path.sh, cmd.sh and local/data.sh work."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tool_support import ROOT, Result, clean_environment, rows_of, write_wav

TEMPLATE = Path("egs/TEMPLATE/mtl1")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of what a recipe needs, in a path with a space; its environment is the one that runs the tests."""
    copy = tmp_path / "a clone"
    for name in ("egs/TEMPLATE", "utils", "espnet2_ext"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "tools").mkdir()
    (copy / "tools/activate_python.sh").write_text("activated=true\n")
    return copy


def bash(folder: Path, code: str, **environment: str) -> Result:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=120,
    )


def setup(repository: Path, recipe: str, folder: str = ".") -> Result:
    script = os.path.relpath(repository / TEMPLATE / "setup.sh", repository / folder)
    return bash(repository / folder, f"'./{script}' '{recipe}'")


@pytest.fixture
def recipe(repository: Path) -> Path:
    result = setup(repository, "egs/mycorpus/mtl1")
    assert result.returncode == 0, result.stderr
    return repository / "egs/mycorpus/mtl1"


def test_new_recipe_links_what_is_shared_and_owns_what_it_changes(repository: Path, recipe: Path) -> None:
    shared = {path.name for path in (repository / TEMPLATE).glob("*.sh")} - {"setup.sh", "cmd.sh"}
    assert {"path.sh", "mtl.sh"} <= shared
    for name in shared:
        link = recipe / ("local" if name.startswith("search_") else ".") / name
        assert not os.path.isabs(os.readlink(link))
        assert link.resolve() == (repository / TEMPLATE / name).resolve()
    for name in ("cmd.sh", "run.sh", "local/data.sh"):
        assert not (recipe / name).is_symlink()
        assert os.access(recipe / name, os.X_OK)
    for path in (repository / TEMPLATE / "conf").rglob("*"):
        assert (recipe / "conf" / path.relative_to(repository / TEMPLATE / "conf")).exists()
    assert (recipe / "README.md").read_text().startswith("# mycorpus\n")
    assert not (recipe / "setup.sh").exists()
    assert sorted(path.name for path in recipe.parent.iterdir()) == ["mtl1"]


def test_setup_works_from_any_folder_and_deeper(repository: Path) -> None:
    assert setup(repository, "../../other/mtl2", "egs/TEMPLATE/mtl1").returncode == 0
    assert (repository / "egs/other/mtl2/mtl.sh").exists()


def test_setup_refuses_to_overwrite(repository: Path, recipe: Path) -> None:
    (recipe / "run.sh").write_text("mine")
    result = setup(repository, "egs/mycorpus/mtl1")
    assert result.returncode == 1
    assert result.stderr.endswith("error: egs/mycorpus/mtl1: exists; name a new directory or remove it\n")
    assert (recipe / "run.sh").read_text() == "mine"


@pytest.mark.parametrize("target", ["elsewhere/mtl1", "egs/TEMPLATE/mtl2", "egs/mtl1"])
def test_setup_refuses_other_places(repository: Path, target: str) -> None:
    before = sorted(str(path) for path in repository.rglob("*"))
    result = setup(repository, target)
    assert result.returncode == 1
    assert f"error: {target}: " in result.stderr
    assert sorted(str(path) for path in repository.rglob("*")) == before


def test_setup_usage(repository: Path) -> None:
    script = f"'{repository / TEMPLATE}/setup.sh'"
    assert bash(repository, script).returncode == 1
    assert bash(repository, f"{script} --help").returncode == 0
    assert bash(repository, f"{script} --nope").returncode == 1


def test_path_sh(repository: Path, recipe: Path) -> None:
    names = ("MAIN_ROOT", "PYTHONPATH", "LC_ALL", "OMP_NUM_THREADS", "PYTHONIOENCODING", "activated")
    code = ". ./path.sh; printf '%s\\n' " + " ".join(f'"${name}"' for name in names)
    result = bash(recipe, code)
    assert result.stdout.splitlines() == [str(repository), str(repository), "C", "1", "UTF-8", "true"]
    result = bash(recipe, code, OMP_NUM_THREADS="4", PYTHONPATH="/other")
    assert result.stdout.splitlines()[1:4] == [f"{repository}:/other", "C", "4"]


def test_python_prints_what_is_not_ascii_under_path_sh(recipe: Path) -> None:
    assert bash(recipe, ". ./path.sh; python3 -c 'print(chr(228))'").stdout == "ä\n"


@pytest.mark.parametrize(
    ("backend", "runner"), [("", "run.sh"), ("local", "run.sh"), ("slurm", "slurm.sh"), ("sge", "sge.sh")]
)
def test_cmd_sh_chooses_the_backend(repository: Path, recipe: Path, backend: str, runner: str) -> None:
    code = ". ./path.sh; . ./cmd.sh; for c in $train_cmd $cuda_cmd $feats_cmd $decode_cmd; do command -v $c; done"
    environment = {"MTL_CMD_BACKEND": backend} if backend else {}
    result = bash(recipe, code, **environment)
    assert result.stdout.splitlines() == [str(repository / "utils" / runner)] * 4


def test_cmd_sh_refuses_other_backends(recipe: Path) -> None:
    result = bash(recipe, ". ./path.sh; . ./cmd.sh", MTL_CMD_BACKEND="pbs")
    assert result.returncode == 1
    assert result.stderr == "cmd.sh: error: cmd_backend is local, slurm or sge, not 'pbs'\n"


def test_jobs_run_in_a_path_with_a_space(recipe: Path) -> None:
    code = ". ./path.sh; . ./cmd.sh; ${train_cmd} JOB=1:2 'my log/x.JOB.log' echo 'job JOB'"
    assert bash(recipe, code).returncode == 0
    assert "\njob 2\n" in (recipe / "my log/x.2.log").read_text()


@pytest.fixture
def corpus(recipe: Path) -> Path:
    """A table and wavs of six speakers, where the recipe looks for them."""
    rows = ["file,speaker,arousal,country"]
    for speaker in range(6):
        for take in range(2):
            write_wav(recipe / f"downloads/wav/{speaker}_{take}.wav", 0.1)
            rows.append(f"{speaker}_{take}.wav,{speaker},{speaker / 5},{'North' if speaker % 2 else 'South'}")
    (recipe / "downloads/labels.csv").write_text("\n".join(rows))
    return recipe / "downloads"


def test_data_sh_makes_data_from_a_table(recipe: Path, corpus: Path) -> None:
    result = bash(recipe, "local/data.sh --guess true")
    assert result.returncode == 0, result.stderr
    assert "name: arousal" in (recipe / "conf/tasks.yaml").read_text()
    assert sum(len(rows_of(recipe / f"data/{name}/utt2spk")) for name in ("train", "dev", "test")) == 12
    noted = (recipe / "data/corpus_files").read_text().splitlines()
    assert [line.split()[-1] for line in noted[3:]] == ["conf/tasks.yaml", "downloads/labels.csv", "downloads/wav"]
    # Without --guess the present tasks.yaml is used, and --guess keeps it.
    assert bash(recipe, "local/data.sh").returncode == 0
    assert bash(recipe, "local/data.sh --guess true").returncode == 0
    assert (recipe / "conf/tasks.yaml.old").exists()


def test_set_of_an_earlier_table_is_left_alone(recipe: Path, corpus: Path) -> None:
    """As of a misspelt split that was mended."""
    assert bash(recipe, "local/data.sh --guess true").returncode == 0
    shutil.copytree(recipe / "data/test", recipe / "data/tset")
    for path in (corpus / "labels.csv", recipe / "conf/tasks.yaml"):
        path.write_text(path.read_text().replace("North", "Nord"))
    result = bash(recipe, "local/data.sh")
    assert result.returncode == 0, result.stderr
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["data/train", "data/dev", "data/test"] * 2


def test_no_draft_takes_away_what_was_edited(recipe: Path, corpus: Path) -> None:
    assert bash(recipe, "local/data.sh --guess true").returncode == 0
    tasks = recipe / "conf/tasks.yaml"
    tasks.write_text(tasks.read_text() + "# edited\n")
    # A draft that fails leaves it in place ...
    wav = (corpus / "wav/0_0.wav").rename(corpus / "0_0.wav")
    result = bash(recipe, "local/data.sh --guess true")
    assert result.returncode == 1
    assert "error: downloads/labels.csv:2: '0_0.wav': no such .wav or .flac file" in result.stderr
    assert tasks.read_text().endswith("# edited\n")
    # ... and further ones keep every earlier file.
    wav.rename(corpus / "wav/0_0.wav")
    for _ in range(2):
        assert bash(recipe, "local/data.sh --guess true").returncode == 0
    kept = sorted(path.name for path in (recipe / "conf").glob("tasks.yaml*"))
    assert kept == ["tasks.yaml", "tasks.yaml.old", "tasks.yaml.old.~1~"]
    assert (recipe / "conf/tasks.yaml.old.~1~").read_text().endswith("# edited\n")


def test_stage_1_runs_again_when_the_table_was_edited(recipe: Path, corpus: Path) -> None:
    assert bash(recipe, "local/data.sh --guess true").returncode == 0
    run = "./run.sh --stop_stage 1"
    assert bash(recipe, run).returncode == 0
    assert "up to date" in bash(recipe, run).stderr
    table = corpus / "labels.csv"
    table.write_text(table.read_text().replace("0_1.wav,0,0.0,", "0_1.wav,0,0.9,"))
    assert "up to date" not in bash(recipe, run).stderr
    labels = [rows_of(recipe / f"data/{name}/utt2arousal").get("0-0_1") for name in ("train", "dev", "test")]
    assert "0.9" in labels
    assert "up to date" in bash(recipe, run).stderr
    # data made for other tasks, whose tasks.yaml was then put back
    tasks = (recipe / "conf/tasks.yaml").read_text()
    (recipe / "conf/tasks.yaml").write_text(tasks.replace("name: arousal", "name: excitement"))
    assert bash(recipe, run).returncode == 0
    assert bash(recipe, "local/data.sh --guess true").returncode == 0
    (recipe / "conf/tasks.yaml.old").replace(recipe / "conf/tasks.yaml")
    assert bash(recipe, run).returncode == 0
    assert not (recipe / "data/train/utt2arousal").exists()
    # Without the corpus what was made of it still is.
    corpus.rename(recipe / "elsewhere")
    assert "up to date" in bash(recipe, run).stderr


def test_run_before_there_are_tasks(recipe: Path, corpus: Path) -> None:
    result = bash(recipe, "./run.sh")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "error: conf/tasks.yaml: no such file; of a table, local/data.sh --guess true drafts it" in result.stderr


def test_data_sh_without_a_corpus(recipe: Path) -> None:
    result = bash(recipe, "local/data.sh", CORPUS_ROOT="/no/such/folder")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.endswith("error: /no/such/folder: no such directory; set CORPUS_ROOT, or give --corpus\n")
