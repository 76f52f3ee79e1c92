"""The IEMOCAP recipe on a generated corpus in the real layout: all stages, folds and their table, and nothing twice."""

import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from iemocap_miniature import NO_FACE, make_corpus, make_videos, write_evaluation
from recipe_copy import RecipeCopy

from espnet2_ext.fileio.ark import ArkReader

RECIPE = "egs/iemocap/mtl1"
SMALL = ("--nj", "1", "--mtl_args", "--max_epoch 1 --encoder_conf channels=[4,4,4,4,8]")
TAG = "train_softmax_seed1"
NINE = ("ang", "hap", "exc", "sad", "neu", "fru", "fea", "sur", "dis")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> RecipeCopy:
    folder = tmp_path_factory.mktemp("iemocap")
    make_videos(folder / "corpus", make_corpus(folder / "corpus"))
    return RecipeCopy(folder, RECIPE)


def corpus_of(recipe: RecipeCopy) -> str:
    return str(recipe.directory.parents[2] / "corpus")


def run_one(recipe: RecipeCopy) -> str:
    """The paper's split, all stages."""
    return recipe.run_ok(
        "./run.sh", "--iemocap_root", corpus_of(recipe), *SMALL, "--bootstrap", "20", "--tag", TAG, "--mtl_config",
        "conf/tuning/train_softmax.yaml",
    )  # fmt: skip


def run_folds(recipe: RecipeCopy) -> str:
    """Leave one session out, from the annotators' votes, two folds at a time."""
    return recipe.run_ok(
        "local/folds.sh", "--iemocap_root", corpus_of(recipe), "--protocol", "loso5", "--mtl_config",
        "conf/tuning/train_soft.yaml", "--jobs", "2", "--", *SMALL, "--bootstrap", "0", "--test_sets", "test",
    )  # fmt: skip


@pytest.fixture(scope="module")
def first_run(recipe: RecipeCopy) -> str:
    return run_one(recipe)


@pytest.fixture(scope="module")
def first_folds(recipe: RecipeCopy, first_run: str) -> str:
    return run_folds(recipe)


def records(recipe: RecipeCopy, exp: str) -> list[dict]:
    text = (recipe.directory / exp / "predict_test/predictions.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def labels(recipe: RecipeCopy, folder: str, name: str) -> dict[str, str]:
    return dict(line.split(None, 1) for line in (recipe.directory / folder / name).read_text().splitlines())


def test_all_stages(recipe: RecipeCopy, first_run: str) -> None:
    exp = recipe.directory / "exp/paper/fold1" / TAG
    assert (exp / f"{TAG}.zip").stat().st_size > 0
    assert (exp / "report/report.html").stat().st_size > 0
    for name, count in (("dev", 15), ("test", 16)):
        assert json.loads((exp / f"predict_{name}/score.json").read_text())["n_utterances"] == count
    weights = json.loads((exp / "history.json").read_text())["1"]["train"]
    assert weights["weight_emotion"] + weights["weight_gender"] == pytest.approx(1, abs=1e-6)
    assert "the sets share all speakers (they leak)" in first_run


def test_features_are_made_once(recipe: RecipeCopy, first_run: str, first_folds: str) -> None:
    assert first_run.count("make shared features: dump/log_mel/org/all") == 1
    assert "make shared features" not in first_folds
    arks = [path for path in recipe.directory.rglob("*.ark") if path.is_file()]
    folders = {str(path.parent.relative_to(recipe.directory)) for path in arks}
    assert folders == {"dump/log_mel/org/all", "data/video/arks"}


def test_video_of_each_set(
    recipe: RecipeCopy, first_run: str, first_folds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten frames for 0.4 s of audio; the woman is bright and the man dark, whoever wears the markers."""
    monkeypatch.chdir(recipe.directory)
    crops = ArkReader("data/video/video.scp")
    utts = list(crops.keys())
    assert len(utts) == 78
    assert labels(recipe, "data/video", "video_missing") == {f"{NO_FACE[:5]}F-{NO_FACE}": "no face in 10 frames"}
    brightness = {utt: crops.read_uint8(utt).mean() for utt in utts}
    for utt in utts:
        assert crops.shape(utt) == (10, 96 * 96 * 3)
        assert (brightness[utt] > 75) == (utt[5] == "F"), utt
    for folder in ("data/paper/fold1", *(f"data/loso5/fold{fold}" for fold in range(1, 6))):
        for name in ("train", "dev", "test"):
            own = labels(recipe, f"{folder}/{name}", "utt2spk")
            scp = labels(recipe, f"{folder}/{name}", "video.scp")
            assert set(scp) == set(own) & set(utts)
            assert set(labels(recipe, f"{folder}/{name}", "video_counts").values()) == {"10 0"}
    # Ten speakers: two frames of 288 x 192, and eight crops of 96 in two lines.
    assert cv2.imread("data/video/montage.png").shape == (10 * (18 + 192), 2 * 288 + 4 * 96, 3)
    assert "10 of 10 dialogs have a video, 79 utterances" in first_run
    # Two dialogs of eight turns each; one turn of session 2 has no face, one of session 5 no wav.
    counts = {1: 16, 2: 15, 3: 16, 4: 16, 5: 15}
    assert labels(recipe, "data/video", "sides_check") == {f"Ses0{n}": f"{c} of {c}" for n, c in counts.items()}
    log = (recipe.directory / "data/video/log/make_video_crops.1.log").read_text()
    # Other folds need no other crops.
    assert "is made" in log
    assert "utterances," not in log


def test_folds_are_trained_without_their_test_session(recipe: RecipeCopy, first_folds: str) -> None:
    for fold in range(1, 6):
        spk = {
            name: set(labels(recipe, f"dump/loso5/fold{fold}/log_mel/{name}", "utt2spk").values())
            for name in ("train", "dev", "test")
        }
        assert spk["test"] == {f"Ses0{fold}F", f"Ses0{fold}M"}
        assert not spk["test"] & (spk["train"] | spk["dev"])
        exp = f"exp/loso5/fold{fold}/train_soft_seed1"
        assert {record["utt"][:6] for record in records(recipe, exp)} == spk["test"]
        assert (
            f"train_dir: dump/loso5/fold{fold}/log_mel/train\n" in (recipe.directory / exp / "config.yaml").read_text()
        )
    # The only disgust is of session 1.
    assert "no label for dis in the training set" in first_folds


def test_table_of_folds(recipe: RecipeCopy, first_folds: str) -> None:
    """Against numbers that numpy finds from predictions and labels."""
    by_fold = []
    for fold in range(1, 6):
        truth = labels(recipe, f"data/loso5/fold{fold}/test", "utt2emotion")
        found = records(recipe, f"exp/loso5/fold{fold}/train_soft_seed1")
        assert {record["utt"] for record in found} == set(truth)
        by_fold.append([(truth[r["utt"]], r["emotion"]["class"], r["emotion"]["probabilities"]) for r in found])

    def wa(rows: list) -> float:
        return float(np.mean([true == guess for true, guess, _ in rows]))

    def uar(rows: list) -> float:
        return float(np.mean([wa([r for r in rows if r[0] == c]) for c in NINE if any(r[0] == c for r in rows)]))

    def nll(rows: list) -> float:
        return float(np.mean([-np.log(probabilities[true]) for true, _, probabilities in rows]))

    page = (recipe.directory / "exp/FOLDS_loso5.md").read_text()
    over = re.search(r"^\| train\\_soft\\_seed1 \| 5 \| (.*) \|$", page, re.M)[1].split(" | ")
    pooled = re.search(r"^\| train\\_soft\\_seed1 \| (\d\.\d{3} .*) \|$", page, re.M)[1].split(" | ")
    header = re.search(r"^\| system \| folds \| (.*) \|$", page, re.M)[1].split(" | ")
    everything = [row for rows in by_fold for row in rows]
    assert len(everything) == 78
    for title, measure in (("emotion UAR", uar), ("emotion WA", wa), ("emotion NLL", nll)):
        values = [measure(rows) for rows in by_fold]
        place = header.index(title)
        assert over[place] == f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
        assert pooled[place] == f"{measure(everything):.3f}"
    assert {"gender UAR", "gender WA", "gender macro F1", "joint NLL"} <= set(header)
    assert "leak" not in page
    assert "says nothing about new ones" not in page


def test_second_run_does_nothing(recipe: RecipeCopy, first_run: str, first_folds: str) -> None:
    before = recipe.files()
    output = run_one(recipe) + run_folds(recipe)
    changed = {path for path, time in recipe.files().items() if before.get(path) != time}
    assert {path for path in changed if "/cells/" not in path} <= {"exp/FOLDS_loso5.md"}
    logs = [path.read_text() for path in (recipe.directory / "exp/loso5/cells").glob("*.log")]
    assert len(logs) == 5
    # A stage that runs names what it does; one that does not names its output.
    assert set(re.findall(r"stage \d+: (\w+)", output + "".join(logs))) == {"data", "dump", "exp"}


SYSTEMS = {
    "UM-dynamic-A": ("um_dynamic_a", ".3232 .6768 158.38"),
    "UM-dynamic-V": ("um_dynamic_v", ".3623 .6377 136.08"),
    "MM-static": ("mm_static", ".5000 .5000 167.10"),
    "MM-dynamic": ("mm_dynamic", ".3623 .6377 112.89"),
}


def run_systems(recipe: RecipeCopy) -> str:
    """The four systems of the paper on its split, all stages."""
    small = ("--nj", "1", "--train_threads", "1", "--bootstrap", "0", "--mtl_args", "--max_epoch 1")
    output = recipe.run_ok(
        "local/table1.sh", "--iemocap_root", corpus_of(recipe), "--size", "small", "--jobs", "2", "--", *small
    )
    for config, _ in SYSTEMS.values():
        one = ("--mtl_config", f"conf/tuning/train_{config}_small.yaml", "--tag", f"train_{config}_small_seed1")
        wave = ("--feature", "conf/feature_wave.yaml", *small, *one)
        output += recipe.run_ok("./run.sh", "--iemocap_root", corpus_of(recipe), *wave, "--stage", "9")
    return output


@pytest.fixture(scope="module")
def first_systems(recipe: RecipeCopy, first_run: str) -> str:
    return run_systems(recipe)


def test_systems_of_the_paper(recipe: RecipeCopy, first_systems: str) -> None:
    """The table against numbers that numpy finds from histories, predictions and labels; the paper's beside."""
    page = (recipe.directory / "exp/TABLE1_paper.md").read_text()
    assert "says nothing about new ones" in page
    for name, (config, reported) in SYSTEMS.items():
        exp = recipe.directory / f"exp/paper/fold1/train_{config}_small_seed1"
        history = json.loads((exp / "history.json").read_text())["1"]["train"]
        weights = {task: history[f"weight_{task}"] for task in ("emotion", "gender")}
        nll = dict.fromkeys(weights, 0.0)
        text = (exp / "predict_dev/predictions.jsonl").read_text()
        found = [json.loads(line) for line in text.splitlines()]
        for task in weights:
            truth = labels(recipe, "data/paper/fold1/dev", f"utt2{task}")
            nll[task] = -sum(np.log(r[task]["probabilities"][truth[r["utt"]]]) for r in found)
        joint = sum(weights[task] * nll[task] for task in weights)
        row = re.search(rf"^\| {name} \| 1 \| (.*) \|$", page, re.M)[1].split(" | ")
        own = [row[0], row[2], row[4], *row[6:]]
        mean = [value / len(found) for value in (joint, nll["emotion"], nll["gender"], sum(nll.values()))]
        wanted = [f"{weights['emotion']:.4f}", f"{weights['gender']:.4f}", f"{joint:.2f}", *(f"{v:.3f}" for v in mean)]
        assert own == wanted, name
        assert [float(row[place]) for place in (1, 3, 5)] == [float(value) for value in reported.split()]
        assert (weights["emotion"] == 0.5) == (name == "MM-static")
        assert (exp / "report/report.html").stat().st_size > 0
    for figure in ("joint_loss", "weights"):
        assert cv2.imread(str(recipe.directory / f"exp/figures_paper/{figure}.png")).size > 0


def test_table_of_other_systems(recipe: RecipeCopy, first_systems: str) -> None:
    """As softmax_drift.sh makes it: names of its own, and no paper beside."""
    output = recipe.run(
        sys.executable, "local/system_table.py", "--exp_dir", "exp/paper", "--folds", "1", "--seeds", "1",
        "--title", "Other", "--systems", "one=train_mm_static_small", "--out", "exp/other/OTHER.md",
        "--figures", "exp/other",
        env={"PYTHONPATH": str(recipe.directory.parents[2])},
    )  # fmt: skip
    assert output.returncode == 0, output.stderr
    whole = (recipe.directory / "exp/TABLE1_paper.md").read_text()
    row = re.search(r"^\| MM-static \| 1 \| (.*) \|$", whole, re.M)[1].split(" | ")
    page = (recipe.directory / "exp/other/OTHER.md").read_text()
    assert re.search(r"^\| one \| 1 \| (.*) \|$", page, re.M)[1].split(" | ") == [row[0], row[2], row[4], *row[6:]]
    assert "aper" not in page
    assert cv2.imread(str(recipe.directory / "exp/other/joint_loss.png")).size > 0


def test_packs_of_systems_on_audio(recipe: RecipeCopy, first_systems: str) -> None:
    wav = next(iter(labels(recipe, "data/paper/fold1/test", "wav.scp").values()))
    predict = (sys.executable, "-m", "espnet2_ext.bin.mtl_inference", "--out", "predictions.jsonl", wav, "--model")
    env = {"PYTHONPATH": str(recipe.directory.parents[2])}
    results = {}
    for name, (config, _) in SYSTEMS.items():
        tag = f"train_{config}_small_seed1"
        results[name] = recipe.run(*predict, f"exp/paper/fold1/{tag}/{tag}.zip", env=env)
    assert [results[name].returncode for name in SYSTEMS] == [0, 1, 0, 0]
    assert "takes video and no audio" in results["UM-dynamic-V"].stderr
    assert "predicts from audio alone" in results["MM-dynamic"].stderr
    assert results["UM-dynamic-A"].stderr == ""


def test_second_run_of_the_systems_does_nothing(recipe: RecipeCopy, first_systems: str) -> None:
    before = recipe.files()
    output = run_systems(recipe)
    changed = {path for path, time in recipe.files().items() if before.get(path) != time}
    tables = {"exp/FOLDS_paper.md", "exp/TABLE1_paper.md"}
    assert {path for path in changed if "/cells/" not in path and "/figures_paper/" not in path} <= tables
    logs = [path.read_text() for path in (recipe.directory / "exp/paper/cells").glob("*.log")]
    assert len(logs) == 4
    assert set(re.findall(r"stage \d+: (\w+)", output + "".join(logs))) == {"data", "dump", "exp"}


def test_bad_options(recipe: RecipeCopy, tmp_path: Path) -> None:
    for options, message in (
        (("--iemocap_root", tmp_path / "none"), "no such directory; give the corpus' folder"),
        (("--iemocap_root", tmp_path / "a b"), "white space"),
        (("--iemocap_root", ""), "IEMOCAP_ROOT"),
        (("--protocol", "loso4"), "--protocol is one of paper loso5 loso10, not 'loso4'"),
        (("--classes", "5"), "--classes is one of 9 4, not '5'"),
        (("--protocol", "loso5", "--fold", "6"), "--fold is 1 to 5 for loso5, not '6'"),
        (("--protokoll", "loso5"), "unknown option"),
        (("--iemocap_root", corpus_of(recipe), "--video", "no"), "--video is one of auto true false, not 'no'"),
    ):
        result = recipe.run("./run.sh", *options, "--stop_stage", "1", env={"IEMOCAP_ROOT": ""})
        assert result.returncode != 0, options
        assert message in result.stderr.splitlines()[-1], options


def test_what_came_later_is_seen(tmp_path: Path) -> None:
    """Videos, which --video auto had to do without, and a label; stage 1 that was stopped is not taken for finished."""
    corpus = make_corpus(tmp_path / "corpus")
    copy = RecipeCopy(tmp_path, RECIPE)
    command = ("./run.sh", "--iemocap_root", tmp_path / "corpus", "--stop_stage", "1")
    assert "audio only" in copy.run_ok(*command)
    assert "up to date" in copy.run_ok(*command)
    make_videos(tmp_path / "corpus", corpus)
    assert "10 of 10 dialogs have a video" in copy.run_ok(*command)
    assert "up to date" in copy.run_ok(*command)
    before = {path.name: path.read_text() for path in (copy.directory / "data/paper/fold1/train").iterdir()}
    assert {"utt2emotion", "video.scp"} <= set(before)
    # Another draw of the sets, which fails at the videos, and back.
    assert copy.run(*command, "--label_seed", "1", "--video_sides", "Ses03=up").returncode != 0
    assert (copy.directory / "data/paper/fold1/train/utt2emotion").read_text() != before["utt2emotion"]
    assert "10 of 10 dialogs have a video" in copy.run_ok(*command)
    assert {path.name: path.read_text() for path in (copy.directory / "data/paper/fold1/train").iterdir()} == before
    corpus.turn("Ses01F_impro01_F000").votes = ["Anger;", "Anger;", "Anger;"]
    write_evaluation(tmp_path / "corpus", "Ses01F_impro01", corpus.dialogs["Ses01F_impro01"])
    copy.run_ok(*command)
    found = {}
    for name in ("train", "dev", "test"):
        found |= labels(copy, f"data/paper/fold1/{name}", "utt2emotion")
    assert found["Ses01F-Ses01F_impro01_F000"] == "ang"
