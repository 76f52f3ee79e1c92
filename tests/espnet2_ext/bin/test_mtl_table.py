import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from fake_experiment import make_spec, write_data, write_experiment, write_predictions, write_scored

from espnet2_ext.bin import mtl_score, mtl_table
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_spec import task_spec_from_dict
from espnet2_ext.report.bootstrap import p_value, read_samples
from espnet2_ext.report.differences import gain_cells
from espnet2_ext.report.grid import Cell, Row

SPEC = make_spec(3)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["mtl_table", "--set", "dev", "--out", "RESULTS.md", *arguments])
        mtl_table.main()
        return Path("RESULTS.md").read_text()

    return run


def _train(path: Path, tasks: tuple[str, ...], noise: float, seed: int, data: tuple, bootstrap: int = 60) -> dict:
    """Write an experiment beside `dump`, with predictions, and score it; returns the score."""
    spec = SPEC.subset(tasks)
    write_experiment(path, spec, seed=seed)
    write_predictions(path, "dev", spec, *data, noise=noise, seed=seed)
    out = path / "predict_dev"
    arguments = ["--predictions", out / "predictions.jsonl", "--data", path.parents[1] / "dump/dev"]
    arguments += ["--tasks", path / "config.yaml", "--out", out / "score.json", "--bootstrap", bootstrap]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["mtl_score", *map(str, arguments)])
        mtl_score.main()
    return json.loads((out / "score.json").read_text())


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict]]:
    """Two seeds of a multi-task system and of single-task models: their directory, and their scores."""
    root = tmp_path_factory.mktemp("grid")
    data = write_data(root / "dump/dev", SPEC, n=48)
    found = {}
    for seed in (1, 2):
        found[f"ew{seed}"] = _train(root / f"exp/equal_seed{seed}", SPEC.names, 0.7, seed, data)
        for task in SPEC.names:
            found[f"{task}{seed}"] = _train(root / f"exp/single_{task}_seed{seed}", (task,), 0.4, seed, data)
    return root, found


@pytest.fixture
def scores(tmp_path: Path, grid: tuple[Path, dict[str, dict]], monkeypatch: pytest.MonkeyPatch) -> dict[str, dict]:
    """The scores, in a copy that a test may spoil."""
    shutil.copytree(grid[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return grid[1]


def _rows(page: str, heading: str = "") -> dict[str, list[str]]:
    """Cells of the first table after a heading, by first cell."""
    lines = page[page.index(heading) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = {}
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[cells[0]] = cells[1:]
    return rows


def test_rows_are_means_and_deviations_over_seeds(table: Callable[..., str], scores: dict[str, dict]) -> None:
    page = table("--rows", "EW=exp/equal_seed* ST=exp/single_*_seed*", "--title", "A title")
    assert page.startswith("# A title\n")
    rows = _rows(page)
    assert rows["system"] == ["seeds", "emotion CCC", "country UAR", "age MAE (years)", "S\\_MTL"]
    two = [scores["ew1"]["metrics"]["age_mae"]["value"], scores["ew2"]["metrics"]["age_mae"]["value"]]
    assert rows["EW"][3] == f"{np.mean(two):.3f} ± {np.std(two, ddof=1):.3f}"
    totals = []
    for seed in (1, 2):
        value = {task: scores[f"{task}{seed}"]["metrics"] for task in SPEC.names}
        ccc, uar, mae = (value["emotion"]["emotion_ccc"]["value"], value["country"]["country_uar"]["value"],
                         value["age"]["age_mae"]["value"])  # fmt: skip
        totals.append(3 / (1 / ccc + 1 / uar + mae))
    assert rows["ST"][4] == f"{np.mean(totals):.3f} ± {np.std(totals, ddof=1):.3f}"
    assert rows["ST"][0] == "2"


def test_more_metrics_and_the_best_of_each_column(table: Callable[..., str], scores: dict[str, dict]) -> None:
    """Pearson stands behind CCC with the scores' values; the mark is at the larger mean, of MAE at the smaller."""
    paper = {"source": "table 1", "rows": {"EW": {"emotion_pearson": 0.61, "s_mtl": 0.4}}}
    Path("paper.yaml").write_text(yaml.safe_dump(paper))
    rows = ("--rows", "EW=exp/equal_seed* ST=exp/single_*_seed*")
    page = table(*rows, "--more_metrics", "pearson", "wa", "--mark_best", "true", "--paper", "paper.yaml")
    found = _rows(page)
    assert found["system"][1::2] == [
        "emotion CCC", "emotion Pearson", "country UAR", "country WA", "age MAE (years)", "age Pearson", "S\\_MTL",
    ]  # fmt: skip
    assert found["EW"][4] == "0.610"
    keys = ("emotion_ccc", "emotion_pearson", "country_uar", "country_wa", "age_mae", "age_pearson")
    for column, key in enumerate(keys):
        task = key.split("_")[0]
        ours = np.mean([scores[f"ew{s}"]["metrics"][key]["value"] for s in (1, 2)])
        theirs = np.mean([scores[f"{task}{s}"]["metrics"][key]["value"] for s in (1, 2)])
        cells = {"EW": found["EW"][1 + 2 * column], "ST": found["ST"][1 + 2 * column]}
        assert cells["EW"].lstrip("▸").startswith(f"{ours:.3f} ±")
        best = "EW" if (ours < theirs) == (key == "age_mae") else "ST"
        assert [name for name, cell in cells.items() if cell.startswith("▸")] == [best], key
    assert "▸" not in page[page.index("## Intervals") :]
    assert _rows(page, "## Intervals")["system"][1] == "emotion Pearson"
    with pytest.raises(SystemExit):
        table(*rows, "--more_metrics", "nothing")


def test_differences_are_of_the_same_resampled_sets(table: Callable[..., str], scores: dict[str, dict]) -> None:
    page = table("--rows", "EW=exp/equal_seed* ST=exp/single_*_seed*", "--against", "EW")
    ew = np.mean([read_samples(Path(f"exp/equal_seed{s}/predict_dev/bootstrap.npz"))[0]["age_mae"] for s in (1, 2)], 0)
    st = np.mean(
        [read_samples(Path(f"exp/single_age_seed{s}/predict_dev/bootstrap.npz"))[0]["age_mae"] for s in (1, 2)], 0
    )
    low, high = np.percentile(ew, [2.5, 97.5])
    assert _rows(page, "## Intervals")["EW"][2] == f"[{low:.3f}, {high:.3f}]"
    low, high = np.percentile(st - ew, [2.5, 97.5])
    cell = _rows(page, "## Differences to EW")["ST"][2]
    assert f"[{low:.3f}, {high:.3f}]" in cell
    means = [np.mean([scores[f"{name}{s}"]["metrics"]["age_mae"]["value"] for s in (1, 2)]) for name in ("age", "ew")]
    assert cell.startswith(f"{means[0] - means[1]:+.3f} ")


def test_gains_by_hand(table: Callable[..., str], scores: dict[str, dict]) -> None:
    """Difference, its interval and p value, and the gain in percent, from the scores and the resampled sets."""
    paper = {"source": "table 1", "rows": {"EW": {"emotion_ccc": 0.6, "age_mae": 4.0}, "ST": {"emotion_ccc": 0.63}}}
    Path("paper.yaml").write_text(yaml.safe_dump(paper))
    rows = ("--rows", "EW=exp/equal_seed* ST=exp/single_*_seed*", "--paper", "paper.yaml")
    page = table(*rows, "--pairs", "ST/EW", "EW/ST")
    gains = _rows(page, "## Gains")
    assert gains["gain"][:4] == ["emotion CCC", "relative (%)", "paper (%)", "country UAR"]
    assert list(gains) == ["gain", "---", "ST over EW", "EW over ST"]
    found = {}
    for name, pattern, key in (("EW", "equal_seed{}", "ew{}"), ("ST", "single_emotion_seed{}", "emotion{}")):
        value = np.mean([scores[key.format(s)]["metrics"]["emotion_ccc"]["value"] for s in (1, 2)])
        paths = [Path("exp", pattern.format(s), "predict_dev/bootstrap.npz") for s in (1, 2)]
        found[name] = value, np.mean([read_samples(path)[0]["emotion_ccc"] for path in paths], axis=0)
    (ew, ew_samples), (st, st_samples) = found["EW"], found["ST"]
    low, high = np.percentile(st_samples - ew_samples, [2.5, 97.5])
    # 60 resamplings, in all of which the less noisy system is ahead: 2 / 61.
    assert (st_samples > ew_samples).all()
    assert gains["ST over EW"][0] == f"{st - ew:+.3f} [{low:.3f}, {high:.3f}] p = 0.033"
    low, high = np.percentile(100 * (st_samples - ew_samples) / ew_samples, [2.5, 97.5])
    assert gains["ST over EW"][1] == f"{100 * (st - ew) / ew:+.1f} [{low:.1f}, {high:.1f}]"
    # 0.63 is 5 % more than 0.6; 0.6 is 4.8 % less than 0.63. No gain where a row of the paper lacks the number.
    assert gains["ST over EW"][2] == "+5.0"
    assert gains["EW over ST"][2] == "-4.8"
    assert gains["ST over EW"][8] == "–"
    without = _rows(table(*rows[:2], "--pairs", "ST/EW"), "## Gains")
    assert "paper (%)" not in without["gain"]
    assert without["ST over EW"][:2] == gains["ST over EW"][:2]


def test_page_says_what_intervals_leave_out(table: Callable[..., str], scores: dict[str, dict]) -> None:
    """The models are given: a p value of speakers is none of trainings."""
    page = table("--rows", "EW=exp/equal_seed* a<b>=exp/single_*_seed*", "--against", "a<b>")
    intervals, differences = page[page.index("## Intervals") :].split("## Differences to a&lt;b&gt;\n")
    assert "What training with other seeds would change is not in them." in intervals
    assert "What training with other seeds would change is in neither." in differences


def test_no_relative_gain_over_what_may_be_nothing() -> None:
    """A share of a CCC that is 0 or less, or is so in a resampled set, says nothing."""
    spec = SPEC.subset(["emotion"])

    def row(name: str, mean: float, samples: list[float]) -> Row:
        cells = {"emotion_ccc": Cell(mean, None, None)}
        return Row(name, (1,), cells, {"emotion_ccc": np.array(samples)}, "mark", None)

    rows = [row("A", 0.3, [0.2, 0.4]), row("B", 0.2, [0.1, 0.4]), row("C", 0.1, [-0.1, 0.3]), row("D", 0.0, [0.1, 0.2])]
    lines = gain_cells(spec, rows, [("A", "B"), ("A", "C"), ("A", "D")], None)[1]
    # Half as much again; in the two sets twice as much and the same.
    assert lines[0][2] == "+50.0 [2.5, 97.5]"
    assert [line[2] for line in lines[1:]] == ["–", "–"]
    assert [line[1][:6] for line in lines] == ["+0.100", "+0.200", "+0.300"]


def test_several_rows_to_compare_with(table: Callable[..., str], scores: dict[str, dict]) -> None:
    rows = ("--rows", "EW=exp/equal_seed* ST=exp/single_*_seed*")
    page = table(*rows, "--against", "EW", "ST")
    assert [line for line in page.splitlines() if line.startswith("## D")] == [
        "## Differences to EW",
        "## Differences to ST",
    ]
    for name, other in (("EW", "ST"), ("ST", "EW")):
        alone = table(*rows, "--against", name)
        assert _rows(page, f"## Differences to {name}") == _rows(alone, f"## Differences to {name}")
        assert list(_rows(alone, "## Diff"))[2:] == [other]


def test_parameters_in_millions(table: Callable[..., str], scores: dict[str, dict]) -> None:
    """1,234,567 each (fake_experiment): one model with all tasks; three models of single tasks together."""
    Path("paper.yaml").write_text(yaml.safe_dump({"source": "x", "rows": {"EW": {"parameters": 79.69}}}))
    rows = ("--rows", "EW=exp/equal_seed* ST=exp/single_*_seed*")
    found = _rows(table(*rows, "--parameters", "true", "--paper", "paper.yaml"))
    assert found["system"][:3] == ["seeds", "parameters (M)", "paper"]
    assert found["EW"][1:3] == ["1.23", "79.69"]
    assert found["ST"][1:3] == ["3.70", "–"]
    assert "parameters (M)" not in _rows(table(*rows, "--paper", "paper.yaml"))["system"]
    Path("exp/single_age_seed2/env.yaml").unlink()
    found = _rows(table(*rows, "--parameters", "true"))
    assert found["system"][1:3] == ["parameters (M)", "emotion CCC"]
    assert [found[name][1] for name in ("EW", "ST")] == ["1.23", "–"]


def test_p_value_by_hand() -> None:
    assert p_value(np.array([1.0, 2.0, 3.0, -1.0])) == pytest.approx(2 * 2 / 5)
    assert p_value(np.ones(999)) == pytest.approx(2 / 1000)
    assert p_value(np.zeros(10)) == 1
    assert np.isnan(p_value(np.array([np.nan])))


def test_paper_stands_beside(table: Callable[..., str], scores: dict[str, dict], tmp_path: Path) -> None:
    paper = {"source": "table 1", "rows": {"EW": {"emotion_ccc": 0.633, "s_mtl": 0.405}, "UW": {"s_mtl": 0.4}}}
    (tmp_path / "paper.yaml").write_text(yaml.safe_dump(paper))
    page = table("--rows", "EW=exp/equal_seed* ST=exp/single_*_seed*", "--paper", "paper.yaml")
    rows = _rows(page)
    assert rows["system"][:3] == ["seeds", "emotion CCC", "paper"]
    assert rows["EW"][2] == "0.633"
    assert rows["EW"][-1] == "0.405"
    assert rows["ST"][2] == "–"
    assert "Paper: table 1." in page


def test_without_bootstraps_there_are_no_intervals(table: Callable[..., str], tmp_path: Path) -> None:
    data = write_data(tmp_path / "dump/dev", SPEC, n=30)
    _train(tmp_path / "exp/a", SPEC.names, 0.5, 1, data, bootstrap=0)
    page = table("--rows", "A=exp/a")
    assert "Intervals" not in page
    assert "±" not in _rows(page)["A"][1]
    with pytest.raises(UserError, match="without intervals"):
        table("--rows", "A=exp/a", "--against", "A")
    with pytest.raises(UserError, match="--pairs A: its models were scored without intervals"):
        table("--rows", "A=exp/a", "--pairs", "A/A")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "EW"], "is not NAME=DIRECTORIES"),
        (["--rows", " "], "names no row"),
        (["--rows", "EW=exp/none*"], "no experiment matches"),
        (["--rows", "X=exp/equal_seed1 X=exp/single_age_seed1"], "seed 1: several models of task age"),
        (["--rows", "EW=exp/equal_seed* X=exp/single_age_seed*"], "seed 1: no model of task emotion"),
        (["--rows", "EW=exp/equal_seed*", "--against", "DWA"], "--against DWA: choose among EW"),
        (["--rows", "EW=exp/equal_seed*", "--pairs", "EW"], "'EW' is not ROW/ROW"),
        (["--rows", "EW=exp/equal_seed*", "--pairs", "EW/a/b"], "'EW/a/b' is not ROW/ROW"),
        (["--rows", "EW=exp/equal_seed*", "--pairs", "EW/DWA"], "--pairs DWA: choose among EW"),
        (["--rows", "EW=exp/equal_seed*", "--paper", "dump/dev/utt2spk"], "utt2spk"),
    ],
)
def test_bad_rows_are_one_line(
    table: Callable[..., str], scores: dict[str, dict], arguments: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        table(*arguments)
    assert "\n" not in str(caught.value)
    assert not Path("RESULTS.md").exists()


def test_missing_score_names_the_stage(table: Callable[..., str], scores: dict[str, dict]) -> None:
    Path("exp/equal_seed1/predict_dev/score.json").unlink()
    with pytest.raises(UserError, match="stage 8"):
        table("--rows", "EW=exp/equal_seed*")


def test_bootstrap_of_another_scoring_is_refused(table: Callable[..., str], scores: dict[str, dict]) -> None:
    path = Path("exp/equal_seed1/predict_dev/score.json")
    score = json.loads(path.read_text())
    score["bootstrap"]["fingerprint"] = "0"
    path.write_text(json.dumps(score))
    with pytest.raises(UserError, match="of another scoring"):
        table("--rows", "EW=exp/equal_seed*")


def test_models_of_other_classes_stand_in_no_table_together(
    table: Callable[..., str], scores: dict[str, dict], tmp_path: Path
) -> None:
    """Chance is another, and the labels differ: no difference has a meaning."""
    data = SPEC.to_dict()
    data["tasks"][1]["classes"] = ["China", "Other"]
    spec = task_spec_from_dict(data)
    write_data(tmp_path / "dump2/dev", spec, n=48)
    write_experiment(tmp_path / "exp/two_seed1", spec)
    write_scored(tmp_path / "exp/two_seed1", tmp_path / "dump2/dev", "dev", spec, noise=0.7, seed=1, bootstrap=60)
    with pytest.raises(UserError, match="exp/two_seed1: task country has other classes than in exp/equal_seed1"):
        table("--rows", "EW=exp/equal_seed* TWO=exp/two_seed1", "--against", "EW")
    assert not Path("RESULTS.md").exists()


def test_rows_of_other_utterances_are_named(
    table: Callable[..., str], scores: dict[str, dict], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "EW=exp/equal_seed* SMALL=exp/small_seed*"
    for seed, n in ((1, 48), (2, 36)):
        # The first 48 are those of the other row.
        write_data(tmp_path / f"dump{n}/dev", SPEC, n=n)
        write_experiment(tmp_path / f"exp/small_seed{seed}", SPEC, seed=seed)
        data = tmp_path / f"dump{n}/dev"
        write_scored(tmp_path / f"exp/small_seed{seed}", data, "dev", SPEC, noise=0.7, seed=seed, bootstrap=60)
    note = "so their numbers do not compare. EW: 48 utterances of 8 speakers; SMALL: 48 utterances of 8 speakers and 36"
    assert note in table("--rows", rows)
    assert note in capsys.readouterr().out
    assert "do not compare" not in table("--rows", "EW=exp/equal_seed* SMALL=exp/small_seed1")
    assert "same resampled sets" not in Path("RESULTS.md").read_text()


def test_as_many_other_utterances_are_named(table: Callable[..., str], scores: dict[str, dict], tmp_path: Path) -> None:
    write_data(tmp_path / "other/dev", SPEC, utts=[f"t{i:03d}" for i in range(48)])
    write_experiment(tmp_path / "exp/other", SPEC)
    write_scored(tmp_path / "exp/other", tmp_path / "other/dev", "dev", SPEC, noise=0.7, seed=1, bootstrap=60)
    page = table("--rows", "EW=exp/equal_seed* OTHER=exp/other")
    assert "EW: 48 utterances of 8 speakers; OTHER: 48 utterances of 8 speakers." in page


def test_rows_resampled_otherwise_are_named(table: Callable[..., str], scores: dict[str, dict], tmp_path: Path) -> None:
    """Else nothing says why their differences are dashes."""
    write_experiment(tmp_path / "exp/few", SPEC)
    write_scored(tmp_path / "exp/few", tmp_path / "dump/dev", "dev", SPEC, noise=0.7, seed=1, bootstrap=20)
    page = table("--rows", "EW=exp/equal_seed* FEW=exp/few", "--against", "EW")
    assert _rows(page, "## Differences")["FEW"] == ["–"] * 4
    assert "not all can be paired. EW: 60 sets of seed 0; FEW: 20 sets of seed 0." in page
    assert "do not compare" not in page


@pytest.fixture
def two_sets(scores: dict[str, dict], tmp_path: Path) -> Path:
    """The systems, scored on a second set too; their directory."""
    data = write_data(tmp_path / "dump/test", SPEC, n=36, seed=5)
    for path in sorted((tmp_path / "exp").iterdir()):
        spec = SPEC.subset([task for task in SPEC.names if task in path.name] or SPEC.names)
        write_scored(path, tmp_path / "dump/test", "test", spec, noise=1.0, seed=len(data[0]), bootstrap=40)
    return tmp_path


def test_two_sets_have_a_section_each(
    table: Callable[..., str], two_sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Paper's numbers are of the first set."""
    Path("paper.yaml").write_text(yaml.safe_dump({"source": "table 1", "rows": {"EW": {"s_mtl": 0.405}}}))
    rows = ["--rows", "EW=exp/equal_seed* ST=exp/single_*_seed*", "--against", "EW"]
    one = table(*rows)
    capsys.readouterr()
    page = table(*rows, "--paper", "paper.yaml", "--set", "test", "dev")
    headings = [line for line in page.splitlines() if line.startswith("#")]
    each = ["### Intervals", "### Differences to EW"]
    assert headings == ["# Results", "## Set test", *each, "## Set dev", *each]
    test, dev = page.split("## Set test\n")[1].split("## Set dev\n")
    # What is said of a set alone is said of it beside another.
    assert dev.strip().replace("\n### ", "\n## ") == one[one.index("| system") :].strip()
    assert "## Set" not in one
    value = np.mean([_emotion(seed, "test") for seed in (1, 2)])
    assert _rows(test)["EW"][1].startswith(f"{value:.3f} ± ")
    assert _rows(test)["system"][:3] == ["seeds", "emotion CCC", "paper"]
    assert _rows(test)["EW"][-1] == "0.405"
    assert "Paper: table 1." in test
    assert "aper" not in dev
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if line.startswith("Set ")] == ["Set test", "Set dev"]
    assert text.count("95 % intervals over speakers") == 2


def _emotion(seed: int, set_name: str) -> float:
    score = json.loads(Path(f"exp/equal_seed{seed}/predict_{set_name}/score.json").read_text())
    return score["metrics"]["emotion_ccc"]["value"]


def test_a_set_without_scores_leaves_no_table(table: Callable[..., str], scores: dict[str, dict]) -> None:
    with pytest.raises(UserError, match="predict_test"):
        table("--rows", "EW=exp/equal_seed*", "--set", "dev", "test")
    assert not Path("RESULTS.md").exists()


def test_selection_sorts_by_the_score_and_marks_the_best(
    table: Callable[..., str], scores: dict[str, dict], capsys: pytest.CaptureFixture
) -> None:
    """The single tasks have less noise; each row alone decides the order, not the order in which they are named."""
    for names in ("ew1 ew2 st", "st ew2 ew1"):
        patterns = {"ew1": "exp/equal_seed1", "ew2": "exp/equal_seed2", "st": "exp/single_*_seed*"}
        page = table("--rows", " ".join(f"{name}={patterns[name]}" for name in names.split()), "--select", "true")
        means = {name: scores[name]["score"]["value"] for name in ("ew1", "ew2")}
        worse = sorted(means, key=lambda name: -means[name])
        rows = _rows(page)
        assert list(rows)[2:] == ["st (best)", *worse]
        assert "which selects the best row: its number here is optimistic" in page
        assert "which selects the best row" in capsys.readouterr().out
    plain = table("--rows", "ew1=exp/equal_seed1 st=exp/single_*_seed*")
    assert "(best)" not in plain
    assert "selects" not in plain


def test_a_later_set_takes_no_part_in_the_selection(table: Callable[..., str], two_sets: Path) -> None:
    """EW is the better one on test, and X on dev: dev decides in both sections."""
    for name, noise in (("dev", 0.1), ("test", 3.0)):
        for seed in (1, 2):
            path = two_sets / f"exp/other_seed{seed}"
            write_experiment(path, SPEC, seed=seed)
            write_scored(path, two_sets / "dump" / name, name, SPEC, noise=noise, seed=seed, bootstrap=40)
    page = table("--set", "dev", "test", "--rows", "EW=exp/equal_seed* X=exp/other_seed*", "--select", "true")
    dev, test = page[page.index("## Set dev") : page.index("## Set test")], page[page.index("## Set test") :]
    numbers = {name: float(cells[-1].split()[0]) for name, cells in _rows(test).items() if name[0] in "EX"}
    assert numbers["X (best)"] < numbers["EW"]
    assert [list(_rows(section))[2:] for section in (dev, test)] == [["X (best)", "EW"]] * 2
    assert "on this set, which selects the best row" in dev
    assert "Sorted" not in test
    assert "In the order of dev, which selects the best row; this set takes no part in it." in test
