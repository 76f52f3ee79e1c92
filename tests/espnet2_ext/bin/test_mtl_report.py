import base64
import itertools
import json
import shutil
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from fake_experiment import (
    HOSTILE,
    make_spec,
    report,
    write_data,
    write_experiment,
    write_report_case,
    write_scored,
)

from espnet2_ext.errors import UserError
from espnet2_ext.report.compare import compare
from espnet2_ext.report.experiment import read_experiment

Attributes = dict[str, str | None]


@dataclass
class Outline(HTMLParser):
    """The parts of a page that tests look at."""

    tags: list[tuple[str, Attributes]] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    text: str = ""
    _skip: bool = False

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._skip = tag == "style"
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_data(self, data: str) -> None:
        if self._skip:
            return
        self.text += data
        if self.cells and self.cells[-1]:
            self.cells[-1][-1] += data

    def named(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes in self.tags if name == tag]

    def row(self, name: str) -> list[str]:
        return next([cell.strip() for cell in row[1:]] for row in self.cells if row and row[0].strip() == name)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    write_report_case(root)
    report(root, "--compare", str(root / "exp/equal"), "--audio-wav-scp", str(root / "wav/wav.scp"))
    return root


@pytest.fixture(scope="module")
def page(case: Path) -> Outline:
    outline = Outline()
    outline.feed((case / "report/report.html").read_text())
    return outline


def test_page_needs_no_other_file_and_runs_nothing(page: Outline) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{tag} {name}"
            if name in ("src", "href", "srcset", "poster", "action"):
                assert (value or "").startswith(("data:", "#")), f"{tag} {name}={str(value)[:60]}"
    policy = next(a["content"] for a in page.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
    assert "url(" not in (Path(__file__).parents[3] / "espnet2_ext/report/templates/style.css").read_text()


def test_page_is_accessible(page: Outline) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("aria-labelledby", "for"):
            assert name not in attributes or attributes[name] in ids
        if (attributes.get("href") or "").startswith("#"):
            assert attributes["href"][1:] in ids
    images = page.named("img")
    assert len(images) > 10
    assert all(len(image["alt"] or "") > 20 for image in images)
    assert page.named("html")[0]["lang"] == "en"
    assert any(a.get("name") == "viewport" for a in page.named("meta"))
    assert all(a.get("scope") in ("col", "row") for a in page.named("th"))
    assert len(page.named("caption")) == len(page.named("table"))
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4", "h5")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    # What scrolls sideways can be reached and named without a mouse.
    scrolling = [a for tag, a in page.tags if tag == "div" and a.get("class") == "scroll"]
    assert scrolling
    assert all(a["tabindex"] == "0" and a["aria-label"] and a["role"] == "region" for a in scrolling)
    assert all(a.get("aria-label") for a in page.named("audio"))


def test_names_from_data_are_text(page: Outline) -> None:
    assert HOSTILE in page.text
    assert "druw<b>" in page.text
    assert not page.named("b")
    assert all((image["src"] or "").startswith("data:image/svg+xml;base64,") for image in page.named("img"))


def test_numbers_are_those_of_the_scores(page: Outline, case: Path) -> None:
    scores = {
        name: json.loads((case / f"exp/druw<b>/predict_{name}/score.json").read_text()) for name in ("dev", "test")
    }
    for key, title in (("emotion_ccc", "emotion CCC"), ("age_mae", "age MAE (years)"), ("country_uar", "country UAR")):
        cells = page.row(title)
        for cell, score in zip(cells, scores.values(), strict=True):
            entry = score["metrics"][key]
            low, high = entry["interval"]
            assert cell.split(maxsplit=1) == [f"{entry['value']:.3f}", f"[{low:.3f}, {high:.3f}]"]
    counts = np.array(scores["dev"]["confusion"]["country"]["counts"])
    row = next(r for r in page.cells if r and r[0].split() == ["United", "States", str(counts[1].sum())])
    assert [int(cell.split()[-1]) for cell in row[1:]] == counts[1].tolist()
    assert [int(cell.split()[0]) for cell in row[1:]] == np.rint(100 * counts[1] / counts[1].sum()).astype(int).tolist()


def test_comparison_shows_both_and_marks_the_better(page: Outline, case: Path) -> None:
    headers = [[cell.strip() for cell in row] for row in page.cells if row[:1] == ["Metric"]]
    assert ["Metric", "druw<b>", "equal"] in headers
    assert page.row("weighting") == ["druw", "equal"]
    source = (case / "report/report.html").read_text()
    scores = [json.loads((case / f"exp/{e}/predict_dev/score.json").read_text()) for e in ("druw<b>", "equal")]
    best = min(score["metrics"]["age_mae"]["value"] for score in scores)
    worse = max(score["metrics"]["age_mae"]["value"] for score in scores)
    assert f"<strong>{best:.3f}</strong>" in source
    assert f"<strong>{worse:.3f}</strong>" not in source


def test_worst_utterances_have_their_audio(page: Outline, case: Path) -> None:
    audio = page.named("audio")
    paths = dict(line.split(maxsplit=1) for line in (case / "wav/wav.scp").read_text().splitlines())
    assert len(audio) >= 5
    for attributes in audio:
        kind, _, content = attributes["src"].partition(";base64,")
        assert kind == "data:audio/wav"
        utt = attributes["aria-label"].removeprefix("Audio of ")
        assert base64.b64decode(content) == Path(paths[utt]).read_bytes()


def test_figures_are_written_as_png(case: Path) -> None:
    names = {path.name for path in (case / "report").glob("*.png")}
    assert names >= {
        "score.png", "weights.png", "learning_emotion.png", "learning_country.png", "learning_age.png",
        "confusion_dev_country.png", "confusion_test_country.png", "predicted_dev_emotion.png",
        "predicted_test_age.png",
        "by_label_dev_emotion.png", "by_label_test_country.png", "comparison_score.png", "comparison_s_mtl.png",
    }  # fmt: skip
    for name in names:
        pixels = matplotlib.image.imread(case / "report" / name)
        assert pixels.shape[1] >= 350
        assert pixels[..., :3].std() > 0.02


def test_results_markdown_says_what_it_was_made_with(case: Path) -> None:
    text = (case / "report/RESULTS.md").read_text()
    score = json.loads((case / "exp/druw<b>/predict_dev/score.json").read_text())["score"]
    for expected in (
        "# Results of druw&lt;b&gt;", "- Date: 2026-01-02 03:04", "- Git: 0123456789ab (uncommitted changes)",
        "- Parameters: 1,234,567", "- Versions: python 3.11.7, numpy 2.0",
        "    python -m espnet2_ext.bin.mtl_train --seed <1> | x",
        f"| S\\_MTL | {score['value']:.3f} | [{score['interval'][0]:.3f}, {score['interval'][1]:.3f}] |",
    ):  # fmt: skip
        assert expected in text


def test_intervals_of_a_set_with_one_speaker_do_not_claim_speakers(case: Path, tmp_path: Path) -> None:
    shutil.copytree(case, tmp_path / "c")
    path = tmp_path / "c/exp/equal/predict_dev/score.json"
    score = json.loads(path.read_text())
    path.write_text(json.dumps(score | {"n_speakers": 1}))
    out = report(tmp_path / "c", exp="equal", sets="dev", out="r")
    for name in ("RESULTS.md", "report.html"):
        text = (out / name).read_text()
        assert f"{score['n_utterances']} utterances of 1 speaker" in text
        assert " resamplings of the utterances of one speaker, so nothing is said about others." in text
        assert "resamplings of the speakers" not in text
    # The other set has its own.
    out = report(tmp_path / "c", exp="equal", sets="dev test", out="r2")
    assert "resamplings of the speakers or " in (out / "report.html").read_text()
    assert "resamplings of the speakers." in (out / "RESULTS.md").read_text()


def test_intervals_are_spoken_of_where_there_are_some(case: Path, tmp_path: Path) -> None:
    shutil.copytree(case, tmp_path / "c")
    spec = make_spec(3)
    for name in ("dev", "test"):
        write_scored(tmp_path / "c/exp/equal", tmp_path / f"c/dump/{name}", name, spec, noise=1, seed=1, bootstrap=0)
        texts = [
            (report(tmp_path / "c", exp="equal", out=f"r{name}") / f).read_text() for f in ("RESULTS.md", "report.html")
        ]
        assert not [text for text in texts if "of 0 " in text or " 0 or " in text or " 0 resamplings" in text]
        assert [text.count("Intervals") > 0 for text in texts] == [name == "dev"] * 2


def test_pages_say_that_results_are_not_of_the_best_epoch(page: Outline, case: Path) -> None:
    """A curve's highest value is of one epoch's weights; inference takes a mean of several."""
    for text in (page.text, (case / "report/RESULTS.md").read_text()):
        assert "the mean of the best epochs' (keep_nbest_models)" in text


def test_same_input_same_bytes(case: Path) -> None:
    first = (report(case, out="again1", sets="test") / "report.html").read_bytes()
    assert (report(case, out="again2", sets="test") / "report.html").read_bytes() == first


def test_experiment_without_history_or_env_or_audio(case: Path, tmp_path: Path) -> None:
    shutil.copytree(case, tmp_path / "c")
    for name in ("history.json", "env.yaml"):
        (tmp_path / "c/exp/equal" / name).unlink()
    out = report(tmp_path / "c", exp="equal", sets="dev", out="r")
    outline = Outline()
    outline.feed((out / "report.html").read_text())
    assert "Learning curves" not in outline.text
    assert not outline.named("audio")
    # What is installed now is not what it was made with.
    text = (out / "RESULTS.md").read_text()
    assert [line for line in text.splitlines() if "unknown" in line] == [
        "- Date: unknown", "- Git: unknown", "- Versions: unknown",
    ]  # fmt: skip
    assert "mtl_report" not in outline.text


def test_audio_that_is_large_or_no_audio_has_no_player(case: Path, tmp_path: Path) -> None:
    shutil.copytree(case, tmp_path / "c")
    large, text = tmp_path / "large.wav", tmp_path / "text.wav"
    large.write_bytes(b"RIFF" + bytes(200_000))
    text.write_text("<script>")
    utts = [line.split()[0] for line in (case / "wav/wav.scp").read_text().splitlines()]
    rows = [f"{utt} {path}" for utt, path in zip(utts, [large, text, tmp_path / "none.wav"] * 20, strict=False)]
    (tmp_path / "wav.scp").write_text("\n".join(rows) + "\n")
    out = report(tmp_path / "c", "--audio-wav-scp", str(tmp_path / "wav.scp"), sets="dev", out="r")
    assert "<audio" not in (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("exp/equal/predict_dev/score.json", None, "stage 8"),
        ("exp/equal/predict_dev/score.json", "{", "score.json: cannot be read"),
        ("exp/equal/predict_dev/score.json", "{}", "no score of this program"),
        ("exp/equal/predict_dev/predictions.jsonl", None, "stage 7"),
        ("exp/equal/config.yaml", "a: 1", "no task_spec"),
        ("exp/equal/config.yaml", "!!python/object:os.system {}", "config.yaml: cannot be read"),
        ("exp/equal/history.json", "[1]", "no history of epochs"),
        ("exp/equal/history.json", '{"one": {}}', "no history of epochs"),
    ],
)
def test_bad_file_is_one_line_and_nothing_is_written(
    case: Path, tmp_path: Path, path: str, content: str | None, message: str
) -> None:
    shutil.copytree(case, tmp_path / "c")
    target = tmp_path / "c" / path
    target.unlink() if content is None else target.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        report(tmp_path / "c", exp="equal", sets="dev", out="r")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "c/r/report.html").exists()


def test_experiment_compared_with_itself_is_refused(case: Path) -> None:
    with pytest.raises(UserError, match="is given twice"):
        report(case, "--compare", str(case / "exp/druw<b>"), out="r2")


def test_scores_of_other_terms_are_not_compared(tmp_path: Path) -> None:
    """A single task's score is its own metric: not on the axis of the whole score, nor better than it."""
    spec = make_spec(3)
    write_data(tmp_path / "dump/dev", spec, n=24)
    subsets = {"all": spec} | {name: spec.subset([name.rstrip("12")]) for name in ("emotion", "age1", "age2")}
    for i, (name, own) in enumerate(subsets.items()):
        write_experiment(tmp_path / "exp" / name, own)
        write_scored(tmp_path / "exp" / name, tmp_path / "dump/dev", "dev", own, noise=0.4 + 0.4 * i, seed=i)
    experiments = {name: read_experiment(tmp_path / "exp" / name) for name in subsets}

    found = compare([experiments["all"], experiments["emotion"]], ["dev"], tmp_path)
    assert found.pictures[0].alt == "Line chart of the score on dev by epoch for all."
    rows = {row["name"]: row["cells"] for row in found.tables[0]["rows"]}
    assert list(rows)[-1] == "S_MTL"
    assert [cell["value"] != "–" for cell in rows["S_MTL"]] == [True, False]
    assert "score" not in rows

    found = compare([experiments[name] for name in ("emotion", "age1", "age2")], ["dev"], tmp_path)
    rows = {row["name"]: row["cells"] for row in found.tables[0]["rows"]}
    assert [cell["value"] != "–" for cell in rows["score"]] == [True, False, False]
    # Less is better, of a task too that the first experiment has not.
    assert [cell["best"] for cell in rows["age MAE (years)"]] == [False, True, False]


def test_comparison_names_sets_that_differ(tmp_path: Path) -> None:
    spec = make_spec(3)
    for name, n in (("a", 24), ("b", 18)):
        write_data(tmp_path / name / "dev", spec, n=n)
        write_experiment(tmp_path / "exp" / name, spec)
        write_scored(tmp_path / "exp" / name, tmp_path / name / "dev", "dev", spec, noise=0.7, seed=1)
    found = compare([read_experiment(tmp_path / "exp" / name) for name in ("a", "b")], ["dev"], tmp_path)
    assert found.tables[0]["note"].endswith("a: 24 utterances of 4 speakers; b: 18 utterances of 3 speakers.")
