"""Rows of a table, and the rows that differences are taken to."""

import subprocess
from pathlib import Path

import pytest

ROWS = Path(__file__).parents[2] / "utils/rows.sh"


def call(*words: str) -> str:
    command = ["bash", "-euo", "pipefail", "-c", f'. {ROWS}; "$@"', "bash", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip("\n")


def test_rows_of_single_tasks_and_weightings() -> None:
    assert call("table_rows", "emotion age", "EW=equal", "DRUW=druw") == (
        "ST=conf/tuning/train_single_emotion.yaml,conf/tuning/train_single_age.yaml "
        "EW=conf/tuning/train_equal.yaml DRUW=conf/tuning/train_druw.yaml"
    )


def test_experiments_of_seeds() -> None:
    assert call("of_seeds", "EW", "train_equal", "1 3") == " EW=exp/train_equal_seed1 EW=exp/train_equal_seed3"


@pytest.mark.parametrize(
    ("rows", "labels", "expected"),
    [
        ("ST=a EW=b UW=c", ["EW", "ST"], "--against EW ST"),
        ("ST=a UW=c", ["EW", "ST"], "--against ST"),
        ("UW=EW=c", ["EW"], ""),
        ("EW=b", ["UW"], ""),
        ("NEW=b", ["EW"], ""),
    ],
)
def test_differences_to_rows_that_are_there(rows: str, labels: list[str], expected: str) -> None:
    assert call("table_against", rows, *labels) == expected
