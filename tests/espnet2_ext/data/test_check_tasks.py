"""Stage 4: the statistics against numpy, and what training could not use."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from tiny_dump import TASKS, make_dump

from espnet2_ext.data.check_tasks import check_tasks, load_task_stats, write_task_stats
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.table import read_table, write_table
from espnet2_ext.mtl.task_spec import task_spec_from_dict

SPEC = task_spec_from_dict(TASKS)


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    make_dump(tmp_path / "train", 20, 0, "tr")
    make_dump(tmp_path / "dev", 7, 1, "dv")
    return tmp_path / "train", tmp_path / "dev"


def columns(path: Path) -> np.ndarray:
    return np.array([line.split()[1:] for line in path.read_text().splitlines()], dtype=np.float64)


def test_statistics_equal_numpy(sets: tuple[Path, Path]) -> None:
    train, dev = sets
    stats = check_tasks(SPEC, train, [dev])
    emotion = columns(train / "utt2emotion")
    assert stats["emotion"]["labelled"] == len(emotion)
    assert stats["emotion"]["dimensions"] == {"joy": len(emotion), "fear": int((~np.isnan(emotion[:, 1])).sum())}
    assert np.isnan(emotion[:, 1]).any()
    np.testing.assert_allclose(stats["emotion"]["mean"], np.nanmean(emotion, 0), rtol=1e-6)
    np.testing.assert_allclose(stats["emotion"]["std"], np.nanstd(emotion, 0), rtol=1e-6)
    age = columns(train / "utt2age")
    np.testing.assert_allclose(stats["age"]["mean"], age.mean(0), rtol=1e-6)
    np.testing.assert_allclose(stats["age"]["std"], age.std(0), rtol=1e-6)
    country = [line.split()[1] for line in (train / "utt2country").read_text().splitlines()]
    assert stats["country"]["counts"] == {name: country.count(name) for name in ("here", "there")}


def test_labels_of_utterances_without_features_do_not_count(sets: tuple[Path, Path]) -> None:
    train, dev = sets
    before = check_tasks(SPEC, train, [dev])
    write_table(train / "utt2age", read_table(train / "utt2age") | {"zz": "1000"})
    assert check_tasks(SPEC, train, [dev]) == before


def test_round_trip(sets: tuple[Path, Path], tmp_path: Path) -> None:
    stats = check_tasks(SPEC, sets[0], [])
    write_task_stats(stats, tmp_path / "stats.yaml")
    assert load_task_stats(tmp_path / "stats.yaml", SPEC) == stats
    assert load_task_stats(tmp_path / "stats.yaml", SPEC.subset(["age"])) == stats


def change(task: str, **keys: object) -> dict:
    return {"tasks": [t | keys if t["name"] == task else t for t in TASKS["tasks"]]}


@pytest.mark.parametrize(
    "data",
    [
        change("country", classes=["here", "elsewhere"]),
        change("country", classes=["there", "here"]),
        change("emotion", dimensions=["fear", "joy"]),
        change("emotion", dimensions=["joy"]),
        {"tasks": [*TASKS["tasks"], {"name": "type", "type": "classification", "classes": ["a", "b"]}]},
    ],
)
def test_statistics_of_other_tasks_are_refused(sets: tuple[Path, Path], tmp_path: Path, data: dict) -> None:
    write_task_stats(check_tasks(SPEC, sets[0], []), tmp_path / "stats.yaml")
    with pytest.raises(UserError, match="run stage 4 again"):
        load_task_stats(tmp_path / "stats.yaml", task_spec_from_dict(data))


@pytest.mark.parametrize("text", [None, "[", "3", "emotion: 3", "emotion: {dimensions: 3}", "!!python/name:os.system"])
def test_unreadable_statistics(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "stats.yaml").write_text(text)
    with pytest.raises(UserError, match="run stage 4 again"):
        load_task_stats(tmp_path / "stats.yaml", SPEC)


def rewrite(path: Path, value: str) -> None:
    write_table(path, dict.fromkeys(read_table(path), value))


def test_no_label_in_train(sets: tuple[Path, Path]) -> None:
    (sets[0] / "utt2age").unlink()
    with pytest.raises(UserError, match="no label for task 'age' in the training set"):
        check_tasks(SPEC, sets[0], [sets[1]])


def test_only_missing_labels_in_train(sets: tuple[Path, Path]) -> None:
    rewrite(sets[0] / "utt2emotion", "nan nan")
    with pytest.raises(UserError, match="no label for task 'emotion'"):
        check_tasks(SPEC, sets[0], [])


def test_dimension_without_label(sets: tuple[Path, Path]) -> None:
    rows = read_table(sets[0] / "utt2emotion")
    write_table(sets[0] / "utt2emotion", {utt: value.split()[0] + " nan" for utt, value in rows.items()})
    with pytest.raises(UserError, match="no label for fear"):
        check_tasks(SPEC, sets[0], [])


def test_class_without_training_label(sets: tuple[Path, Path]) -> None:
    rewrite(sets[0] / "utt2country", "here")
    with pytest.raises(UserError, match="no label for there"):
        check_tasks(SPEC, sets[0], [])


def test_a_fold_may_lack_a_class(sets: tuple[Path, Path], caplog: pytest.LogCaptureFixture) -> None:
    """Of a class only: a dimension without a label, or a task, is an error as ever."""
    rewrite(sets[0] / "utt2country", "here")
    stats = check_tasks(SPEC, sets[0], [], allow_empty_classes=True)
    assert stats["country"]["counts"]["there"] == 0
    assert "no label for there in the training set; it will never be predicted" in caplog.text
    (sets[0] / "utt2country").unlink()
    with pytest.raises(UserError, match="no label for task 'country'"):
        check_tasks(SPEC, sets[0], [], allow_empty_classes=True)


@pytest.mark.parametrize("value", ["0.1", "1e-3", "33.3"])
def test_constant_labels(sets: tuple[Path, Path], value: str) -> None:
    rewrite(sets[0] / "utt2age", value)
    with pytest.raises(UserError, match="all labels of 'age' are equal"):
        check_tasks(SPEC, sets[0], [])


def test_other_sets_may_be_blind(sets: tuple[Path, Path]) -> None:
    for task in SPEC.names:
        (sets[1] / f"utt2{task}").unlink()
    check_tasks(SPEC, sets[0], [sets[1]])


def test_a_bad_label_in_another_set_is_found(sets: tuple[Path, Path]) -> None:
    rewrite(sets[1] / "utt2country", "nowhere")
    with pytest.raises(UserError, match="class 'nowhere'"):
        check_tasks(SPEC, sets[0], [sets[1]])


def test_speaker_in_two_sets(sets: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(sets[1], tmp_path / "test")
    with pytest.raises(UserError) as caught:
        check_tasks(SPEC, sets[0], [sets[1], tmp_path / "test"])
    assert "4 speakers are in both, such as 'dv0'" in str(caught.value)
    check_tasks(SPEC, sets[0], [sets[1], tmp_path / "test"], allow_speaker_overlap=True)


def test_empty_set(sets: tuple[Path, Path]) -> None:
    (sets[1] / "feats.scp").write_text("")
    with pytest.raises(UserError, match=r"feats\.scp"):
        check_tasks(SPEC, sets[0], [sets[1]])


def test_plain_yaml(sets: tuple[Path, Path], tmp_path: Path) -> None:
    """No numpy objects: safe_load reads what was written."""
    write_task_stats(check_tasks(SPEC, sets[0], []), tmp_path / "stats.yaml")
    assert "!!" not in (tmp_path / "stats.yaml").read_text()
    assert set(yaml.safe_load((tmp_path / "stats.yaml").read_text())) == set(SPEC.names)
