"""Label files: what is missing is missing, what is wrong is one line."""

from pathlib import Path

import numpy as np
import pytest

from espnet2_ext.data.labels import MISSING_CLASS, read_all_labels, read_labels, read_soft_labels
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_spec import Task

EMOTION = Task("emotion", "regression", dimensions=("joy", "fear"), range=(0.0, 1.0))
AGE = Task("age", "regression", dimensions=("age",))
COUNTRY = Task("country", "classification", classes=("here", "there"))
UTTS = ["a", "b", "c"]


def write(folder: Path, task: Task, text: str) -> Path:
    path = folder / f"utt2{task.name}"
    path.write_text(text)
    return path


def test_regression_in_the_order_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, EMOTION, "a 0 1\nb 0.25 nan\nz 1 1\n")
    values = read_labels(path, EMOTION, ["c", "b", "a"])
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.array([[np.nan, np.nan], [0.25, np.nan], [0, 1]], np.float32))


def test_classes_by_their_place_in_tasks_yaml(tmp_path: Path) -> None:
    path = write(tmp_path, COUNTRY, "a there\nb nan\n")
    classes = read_labels(path, COUNTRY, ["b", "a", "c"])
    assert classes.dtype == np.int64
    assert classes.tolist() == [MISSING_CLASS, 1, MISSING_CLASS]


def test_missing_files_are_missing_labels(tmp_path: Path) -> None:
    labels = read_all_labels(tmp_path, [EMOTION, COUNTRY], UTTS)
    assert np.isnan(labels["emotion"]).all()
    assert labels["emotion"].shape == (3, 2)
    assert (labels["country"] == -1).all()


def test_range_holds_its_ends(tmp_path: Path) -> None:
    path = write(tmp_path, EMOTION, "a 0.0 1.0\n")
    assert read_labels(path, EMOTION, ["a"]).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("task", "text", "expected"),
    [
        (COUNTRY, "b ther\n", "class 'ther' is not one of here, there"),
        (COUNTRY, "b here there\n", "class 'here there' is not one of"),
        (EMOTION, "b 0.5\n", "1 values for 2 dimensions"),
        (EMOTION, "b 0.5 0.5 0.5\n", "3 values for 2 dimensions"),
        (EMOTION, "b 0.5 x\n", "is not a row of numbers or nan"),
        (EMOTION, "b 0,5 0,5\n", "is not a row of numbers or nan"),
        (EMOTION, "b 1.01 0\n", "1.01 is not in [0, 1]"),
        (EMOTION, "b 0 -0.01\n", "-0.01 is not in [0, 1]"),
        (EMOTION, "b inf 0\n", "inf is not in [0, 1]"),
        (AGE, "b inf\n", "inf is not in"),
        (AGE, "b -inf\n", "-inf is not in"),
        (AGE, "b 1e39\n", "1e+39 is not in"),  # finite, but not in float32
    ],
)
def test_impossible_labels_name_file_and_utterance(tmp_path: Path, task: Task, text: str, expected: str) -> None:
    path = write(tmp_path, task, text)
    with pytest.raises(UserError) as caught:
        read_labels(path, task, UTTS)
    line = str(caught.value)
    assert line.startswith(f"{path}: b: ")
    assert expected in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "expected"), [("b 1\nb 2\n", "b occurs twice"), ("b\n", "has no value"), ("", "empty file")]
)
def test_torn_tables(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        read_labels(write(tmp_path, AGE, text), AGE, UTTS)


def test_soft_labels(tmp_path: Path) -> None:
    """Rows of a sum that is off in the fourth digit are brought to 1."""
    path = write(tmp_path, COUNTRY, "a 0.3333 0.6666\nb nan nan\nz 0 1\n")
    values = read_soft_labels(path, COUNTRY, ["c", "z", "a", "b"])
    assert values.dtype == np.float32
    expected = [[np.nan] * 2, [0, 1], [1 / 3, 2 / 3], [np.nan] * 2]
    np.testing.assert_allclose(values, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b 1\n", "1 values for 2 classes of 'country'"),
        ("b here\n", "is not a row of numbers or nan"),
        ("b 0.5 0.4\n", "are no probabilities of classes"),
        ("b 1.5 -0.5\n", "are no probabilities of classes"),
        ("b inf 0\n", "are no probabilities of classes"),
    ],
)
def test_impossible_soft_labels(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path, COUNTRY, text)
    with pytest.raises(UserError) as caught:
        read_soft_labels(path, COUNTRY, UTTS)
    assert str(caught.value).startswith(f"{path}: b: ")
    assert expected in str(caught.value)


def test_missing_file_of_soft_labels(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="utt2country: no such file; soft labels of 'country' need it"):
        read_soft_labels(tmp_path / "utt2country", COUNTRY, UTTS)
