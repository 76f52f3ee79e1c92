"""Configurations of a search over exits."""

import sys
from pathlib import Path

import pytest
import yaml
from tiny_dump import TASKS

from espnet2_ext.bin.exit_grid import main, parse_exits
from espnet2_ext.bin.resolve_config import resolve_config
from espnet2_ext.errors import UserError

NAMES = ("emotion", "age", "country")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/tuning").mkdir(parents=True)
    (tmp_path / "conf/tasks.yaml").write_text(yaml.safe_dump(TASKS))
    (tmp_path / "conf/train.yaml").write_text("optim: adamw\ntask_exits: {country: 1}\n")
    (tmp_path / "conf/tuning/t.yaml").write_text("base: ../train.yaml\nencoder: multi_exit_cnn\n")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, exits: str) -> None:
    options = ["--config", "conf/tuning/t.yaml", "--tasks", "conf/tasks.yaml", "--exits", exits, "--out", "exp/exits"]
    monkeypatch.setattr(sys, "argv", ["exit_grid", *options])
    main()


def test_every_combination_has_a_configuration(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    run(monkeypatch, "age=2,learnt emotion=1,2")
    rows = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    # In the order of the tasks, as tasks.yaml has them.
    assert list(rows) == ["emotion:1,age:2", "emotion:1,age:learnt", "emotion:2,age:2", "emotion:2,age:learnt"]
    assert rows["emotion:2,age:learnt"] == "exp/exits/t_emotion2_agelearnt.yaml"
    assert resolve_config(Path(rows["emotion:2,age:learnt"])) == {
        "optim": "adamw", "encoder": "multi_exit_cnn", "task_exits": {"country": 1, "emotion": 2, "age": "learnt"},
    }  # fmt: skip
    assert len(list((folder / "exp/exits").iterdir())) == 4


def test_tasks_that_are_not_trained_have_no_exit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (folder / "conf/train.yaml").write_text("tasks: [age, emotion]\n")
    run(monkeypatch, "1 2 3")
    assert len(capsys.readouterr().out.splitlines()) == 9
    with pytest.raises(UserError, match="'country=1' is not TASK=EXIT"):
        run(monkeypatch, "country=1")


def test_candidates() -> None:
    assert parse_exits("1 learnt", NAMES) == {name: [1, "learnt"] for name in NAMES}
    assert parse_exits("country=3 emotion=4,5", NAMES) == {"emotion": [4, 5], "country": [3]}


@pytest.mark.parametrize(
    ("exits", "message"),
    [
        ("", "give exits for all tasks"),
        ("1 0", "'0' is no exit"),
        ("1,2", "'1,2' is no exit"),
        ("age=1 2", "'2' is not TASK=EXIT"),
        ("aeg=1", "'aeg=1' is not TASK=EXIT"),
        ("age=1 age=2", "'age=2' is not TASK=EXIT"),
        ("age=", "age: '' is no exit"),
        ("age=1,1", "has an exit twice"),
        ("age=last", "'last' is no exit"),
    ],
)
def test_bad_exits_are_one_line(exits: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_exits(exits, NAMES)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
