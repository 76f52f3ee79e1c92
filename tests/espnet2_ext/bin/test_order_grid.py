"""Configurations of a search over the order of a chain."""

import sys
from pathlib import Path

import pytest
import yaml
from tiny_dump import TASKS

from espnet2_ext.bin.order_grid import main, parse_orders
from espnet2_ext.bin.resolve_config import resolve_config
from espnet2_ext.errors import UserError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/tuning").mkdir(parents=True)
    (tmp_path / "conf/tasks.yaml").write_text(yaml.safe_dump(TASKS))
    (tmp_path / "conf/train.yaml").write_text(
        "optim: adamw\nhead_conf: {hidden_size: 8, order: [age, country, emotion]}\n"
    )
    (tmp_path / "conf/tuning/t.yaml").write_text("base: ../train.yaml\n")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, *orders: str) -> dict[str, str]:
    options = ["--config", "conf/tuning/t.yaml", "--tasks", "conf/tasks.yaml", "--out", "exp/orders", *orders]
    monkeypatch.setattr(sys, "argv", ["order_grid", *options])
    main()
    return dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())


def test_every_order_has_a_configuration(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    rows = run(monkeypatch, capsys)
    assert len(rows) == 6  # 3!
    assert rows["country,emotion,age"] == "exp/orders/t_country_emotion_age.yaml"
    assert resolve_config(Path(rows["country,emotion,age"])) == {
        "optim": "adamw", "heads": "chain", "head_conf": {"hidden_size": 8, "order": ["country", "emotion", "age"]},
    }  # fmt: skip


def test_tasks_that_are_trained(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    (folder / "conf/train.yaml").write_text("tasks: [age, emotion]\n")
    assert list(run(monkeypatch, capsys)) == ["age,emotion", "emotion,age"]
    assert list(run(monkeypatch, capsys, "--orders", "emotion,age")) == ["emotion,age"]


@pytest.mark.parametrize("text", ["a,b", "a,b,c,c", "a,b,d", "a,b,c c,b,a a,b,c"])
def test_orders_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="give each order of a, b, c once"):
        parse_orders(text, ("a", "b", "c"))
