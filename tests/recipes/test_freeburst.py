"""The recipe freeburst on miniatures of its packages, through all stages, and beside its references."""

import json
import os
import re
import zipfile
from pathlib import Path

import pytest
from recipe_copy import RecipeCopy
from voice_packages import PACKAGES, PackagedClip, miniature_clips, write_clip_table, write_packages

# Rows of the table and their experiments.
SYSTEMS = {
    "EW": "train_equal_seed1",
    "DRUW": "train_druw_seed1",
    "eGeMAPS-SVM": "ref_egemaps",
    "duration-SVM": "ref_duration",
}
# apt-get's place is taken by a program that copies them from here.
APT = """#!/bin/sh
echo "$@" > {log}
cp {debs}/*.deb .
"""


@pytest.fixture(scope="module")
def clips() -> list[PackagedClip]:
    return miniature_clips()


@pytest.fixture(scope="module")
def debs(clips: list[PackagedClip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_packages(tmp_path_factory.mktemp("debs"), clips)


def copy_recipe(folder: Path, clips: list[PackagedClip]) -> RecipeCopy:
    """The recipe with the miniatures' table; one seed instead of three, for time."""
    copy = RecipeCopy(folder, "egs/freeburst/mtl1")
    table = copy.directory / "local/table.sh"
    assert table.read_text().count('seeds="1 2 3" ') == 1
    table.write_text(table.read_text().replace('seeds="1 2 3" ', 'seeds="1" '))
    write_clip_table(copy.directory / "local/labels.csv", [clip.row for clip in clips])
    return copy


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, clips: list[PackagedClip]) -> RecipeCopy:
    return copy_recipe(tmp_path_factory.mktemp("freeburst"), clips)


@pytest.fixture(scope="module")
def small(debs: Path) -> list[str]:
    """Options of mtl.sh for a run of seconds."""
    training = "--max_epoch 1 --encoder_conf channels=[4,4,4]"
    return ["--local_data_opts", f"--debs {debs}", "--nj", "2", "--bootstrap", "40", "--mtl_args", training]


@pytest.fixture(scope="module")
def first_run(recipe: RecipeCopy, small: list[str]) -> str:
    return recipe.run_ok("./run.sh", *small)


def table_rows(section: str) -> dict[str, list[str]]:
    """Cells by first cell of the first table."""
    lines = re.search(r"^\|.*?(?=\n[^|]|\Z)", section, re.M | re.S)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows}


def score(recipe: RecipeCopy, exp: str, name: str, key: str) -> dict[str, float]:
    path = recipe.directory / f"exp/{exp}/predict_{name}/score.json"
    return json.loads(path.read_text())["metrics"][key]


def test_run_sh_makes_the_corpus(recipe: RecipeCopy, first_run: str, clips: list[PackagedClip]) -> None:
    for name in ("train", "dev", "test"):
        rows = [clip.row for clip in clips if clip.row["split"] == name]
        for task, column in (("type", "type"), ("verbal", "verbal"), ("sex", "sex"), ("intensity", "intensity")):
            labels = (recipe.directory / f"data/{name}/utt2{task}").read_text().splitlines()
            assert len(labels) == sum(row[column] != "" for row in rows), (name, task)
        speakers = (recipe.directory / f"data/{name}/spk2utt").read_text().splitlines()
        assert [line.split()[0] for line in speakers] == sorted({row["speaker"] for row in rows})
    assert "differ from the table's checksums" not in first_run


@pytest.mark.parametrize("name", ["dev", "test"])
def test_run_sh_prints_the_networks_beside_the_references(recipe: RecipeCopy, first_run: str, name: str) -> None:
    """With intervals, for both sets."""
    page = (recipe.directory / "exp/TABLE.md").read_text()
    section = page.split(f"## Set {name}\n")[1].split("\n## ")[0]
    rows = table_rows(section)
    intervals = table_rows(section.split("### Intervals")[1])
    assert rows["system"][:5] == ["seeds", "type UAR", "verbal UAR", "sex UAR", "intensity CCC"]
    assert list(rows)[2:] == list(intervals)[2:] == list(SYSTEMS)
    for row, exp in SYSTEMS.items():
        keys = ("type_uar", "verbal_uar", "sex_uar", "intensity_ccc")
        assert rows[row][:5] == ["1", *(f"{score(recipe, exp, name, key)['value']:.3f}" for key in keys)]
        assert all(re.fullmatch(r"\[-?\d\.\d{3}, -?\d\.\d{3}\]", cell) for cell in intervals[row]), row
    assert f"Set {name}" in first_run.splitlines()


def test_run_sh_reports_and_packs_seed_1_of_the_first_row(recipe: RecipeCopy, first_run: str) -> None:
    exp = recipe.directory / "exp/train_equal_seed1"
    assert f"plots: {exp}/report/report.html" in first_run.splitlines()
    assert (exp / "report/report.html").stat().st_size > 0
    assert {"model.pth", "config.yaml", "README.md"} <= set(zipfile.ZipFile(exp / "train_equal_seed1.zip").namelist())
    # No second experiment beside the table's.
    found = {path.name for path in (recipe.directory / "exp").iterdir() if (path / "config.yaml").exists()}
    assert found == set(SYSTEMS.values())


def test_references_are_resampled_as_the_networks_are(recipe: RecipeCopy, first_run: str) -> None:
    for name in ("dev", "test"):
        files = [recipe.directory / f"exp/{exp}/predict_{name}/score.json" for exp in SYSTEMS.values()]
        found = [json.loads(path.read_text())["bootstrap"] for path in files]
        assert [entry["resamplings"] for entry in found] == [40] * 4
        assert len({entry["fingerprint"] for entry in found}) == 1


def test_second_run_only_prints(recipe: RecipeCopy, first_run: str, small: list[str]) -> None:
    """The table, and the scripts and logs of its cells, are written again; nothing else."""
    before = recipe.files()
    output = recipe.run_ok("./run.sh", *small)
    after = recipe.files()
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    assert {path for path in changed if not path.startswith("exp/grid/")} == {"exp/TABLE.md"}
    assert "reference: exp/ref_egemaps is up to date" in output
    assert "reference: exp/ref_duration is up to date" in output


def test_table_of_two_rows(recipe: RecipeCopy, first_run: str, small: list[str]) -> None:
    """What is there is not trained again; differences to a network are of the same resampled sets."""
    before = recipe.files()
    rows = "DRUW=conf/tuning/train_druw.yaml EW=conf/tuning/train_equal.yaml"
    options = ("--rows", rows, "--seeds", "1", "--out", "exp/TWO.md")
    output = recipe.run_ok("local/table.sh", *options, "--", *small)
    assert "2 cells, 2 at a time" in output
    assert not [path for path, time in recipe.files().items() if path.endswith(".pth") and before.get(path) != time]
    page = (recipe.directory / "exp/TWO.md").read_text()
    assert page.startswith("# Voices of free games: all weightings\n")
    for section in page.split("\n## Set ")[1:]:
        assert list(table_rows(section))[2:] == ["DRUW", "EW", "eGeMAPS-SVM", "duration-SVM"]
        differences = table_rows(section.split("### Differences to EW")[1])
        assert list(differences)[2:] == ["DRUW", "eGeMAPS-SVM", "duration-SVM"]
        assert all(" p " in cell for row in list(differences)[2:] for cell in differences[row][:2])


# --- where the packages come from


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, clips: list[PackagedClip]) -> RecipeCopy:
    """A recipe that nothing has been run in."""
    return copy_recipe(tmp_path_factory.mktemp("bare"), clips)


def path_with(folder: Path, apt: str | None) -> dict[str, str]:
    """PATH of all that is on it but apt-get; in its place a program, or none."""
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(":")):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if program.name != "apt-get" and not program.is_dir():
                link.unlink(missing_ok=True)
                link.symlink_to(program)
    if apt is not None:
        (folder / "apt-get").write_text(apt)
        (folder / "apt-get").chmod(0o755)
    return {"PATH": str(folder)}


def test_without_apt_get_one_line_says_what_to_do(bare: RecipeCopy, tmp_path: Path) -> None:
    before = bare.files()
    done = bare.run("./run.sh", env=path_with(tmp_path / "bin", None))
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(errors) == 1, done.stderr
    assert errors[0].endswith(
        "no apt-get here: get hedgewars-data, openarena-081-players, openarena-data of Debian 12 from"
        " https://packages.debian.org/bookworm and give local/data.sh --debs DIR"
        " (run.sh: --local_data_opts '--debs DIR')"
    )
    assert "Traceback" not in done.stderr
    assert {path for path in bare.files() if path not in before and not path.startswith(".stages/")} == set()


def test_a_failed_download_is_told_and_leaves_no_packages(bare: RecipeCopy, tmp_path: Path) -> None:
    apt = "#!/bin/sh\ntouch half_1_all.deb\necho 'E: Unable to locate package' >&2\nexit 100\n"
    done = bare.run("local/data.sh", "--downloads", tmp_path / "downloads", env=path_with(tmp_path / "bin", apt))
    assert done.returncode == 1
    assert "error: apt-get download failed: run apt-get update" in done.stderr.splitlines()[-1]
    assert [path.name for path in (tmp_path / "downloads").iterdir()] == ["debs.part"]


def test_packages_are_downloaded_once(bare: RecipeCopy, tmp_path: Path, debs: Path) -> None:
    """A package that was deleted, being damaged, is fetched again."""
    log, folder = tmp_path / "log", tmp_path / "downloads"
    environment = path_with(tmp_path / "bin", APT.format(log=log, debs=debs))
    command = ("local/data.sh", "--downloads", folder)
    done = bare.run(*command, env=environment)
    assert done.returncode == 0, done.stderr
    assert log.read_text().split()[-4:] == ["download", *PACKAGES]
    assert (folder / "freeburst/labels.csv").exists()
    assert (bare.directory / "data/train/wav.scp").exists()
    log.unlink()
    assert bare.run(*command, env=environment).returncode == 0
    (folder / "freeburst/labels.csv").unlink()
    assert bare.run(*command, env=environment).returncode == 0
    assert not log.exists()
    # Here the error names the file to delete; without it, apt-get is asked.
    broken = folder / f"debs/{PACKAGES[1]}_1.0_all.deb"
    broken.write_bytes(broken.read_bytes()[:500])
    (folder / "freeburst/labels.csv").unlink()
    done = bare.run(*command, env=environment)
    assert done.returncode == 1
    assert f"{broken}: ends within its data; delete it and download it again" in done.stderr.splitlines()[-1]
    broken.unlink()
    assert bare.run(*command, env=environment).returncode == 0
    assert log.exists()


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("./run.sh", "--local_data_opts"),
        ("local/data.sh", "--debs"),
        ("local/reference.sh", "RBF support vector machines"),
        ("local/table.sh", "--seeds"),
    ],
)
def test_help(bare: RecipeCopy, script: str, text: str) -> None:
    before = bare.files()
    output = bare.run_ok(script, "--help")
    assert output.startswith("Usage: ")
    assert text in output
    assert bare.files() == before


@pytest.mark.parametrize("script", ["./run.sh", "local/data.sh", "local/reference.sh", "local/table.sh"])
def test_unknown_options(bare: RecipeCopy, script: str) -> None:
    done = bare.run(script, "--no_such_option", "1")
    assert done.returncode != 0
    assert "unknown option" in done.stderr.splitlines()[-1]
