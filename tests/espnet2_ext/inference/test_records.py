import json
from pathlib import Path

import numpy as np
import pytest

from espnet2_ext.errors import UserError
from espnet2_ext.inference.records import read_records, write_records
from espnet2_ext.mtl.task_spec import task_spec_from_dict

SPEC = task_spec_from_dict(
    {
        "tasks": [
            {"name": "emotion", "type": "regression", "dimensions": ["Awe", "Fear"]},
            {"name": "country", "type": "classification", "classes": ["X", "Y", "Z"]},
        ]
    }
)


def _predictions(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    country = rng.random((n, 3), dtype=np.float32)
    return {"emotion": (rng.standard_normal((n, 2)) * 10.0 ** rng.integers(-30, 30, (n, 2))).astype(np.float32),
            "country": country / country.sum(1, keepdims=True)}  # fmt: skip


def test_values_read_back_to_the_bit_in_byte_order(tmp_path: Path) -> None:
    utts = [f"u{i}" for i in range(200)] + ["ü", "Z"]
    predictions = _predictions(len(utts))
    write_records(tmp_path / "p.jsonl", SPEC, utts, predictions)
    got_utts, got = read_records(tmp_path / "p.jsonl", SPEC)
    assert got_utts == sorted(utts, key=lambda utt: utt.encode())
    order = [utts.index(utt) for utt in got_utts]
    for name, array in predictions.items():
        assert got[name].dtype == np.float32
        assert got[name].tobytes() == array[order].tobytes()


def test_line_is_plain_and_short(tmp_path: Path) -> None:
    predictions = {"emotion": np.float32([[0.1, 0.25]]), "country": np.float32([[0.2, 0.7, 0.1]])}
    write_records(tmp_path / "p.jsonl", SPEC, ["a"], predictions)
    assert (tmp_path / "p.jsonl").read_text() == (
        '{"utt": "a", "emotion": {"Awe": 0.1, "Fear": 0.25}, '
        '"country": {"class": "Y", "probabilities": {"X": 0.2, "Y": 0.7, "Z": 0.1}}}\n'
    )


def test_subset_of_tasks_reads_its_own(tmp_path: Path) -> None:
    write_records(tmp_path / "p.jsonl", SPEC, ["a", "b"], _predictions(2))
    assert set(read_records(tmp_path / "p.jsonl", SPEC.subset(["country"]))[1]) == {"country"}


def test_prediction_that_is_not_finite_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    predictions = _predictions(2)
    predictions["emotion"][1, 0] = np.nan
    with pytest.raises(UserError, match=r"b: the prediction of emotion is not finite"):
        write_records(tmp_path / "p.jsonl", SPEC, ["a", "b"], predictions)
    assert list(tmp_path.iterdir()) == []


def test_utterance_predicted_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="twice"):
        write_records(tmp_path / "p.jsonl", SPEC, ["a", "a"], _predictions(2))


GOOD = {"utt": "a", "emotion": {"Awe": 1.0, "Fear": 2.0},
        "country": {"class": "X", "probabilities": {"X": 1.0, "Y": 0.0, "Z": 0.0}}}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty or cut off"),
        (json.dumps(GOOD), "empty or cut off"),
        ("{\n", ":1: not JSON"),
        ("[" * 100_000 + "\n", ":1: not JSON"),
        ("[]\n", "no utterance id"),
        (json.dumps(GOOD | {"utt": 3}) + "\n", "no utterance id"),
        (2 * (json.dumps(GOOD) + "\n"), "a occurs twice"),
        (json.dumps({"utt": "a", "country": GOOD["country"]}) + "\n", "a: emotion: no prediction"),
        (json.dumps(GOOD | {"emotion": {"Awe": 1}}) + "\n", "names are not those"),
        (json.dumps(GOOD | {"emotion": [1, 2]}) + "\n", "names are not those"),
        (json.dumps(GOOD | {"country": {"class": "X"}}) + "\n", "names are not those"),
        (json.dumps(GOOD | {"emotion": {"Awe": 1, "Fear": "2"}}) + "\n", "not a finite number"),
        (json.dumps(GOOD | {"emotion": {"Awe": 1, "Fear": True}}) + "\n", "not a finite number"),
        (json.dumps(GOOD | {"emotion": {"Awe": 1, "Fear": float("nan")}}) + "\n", "not a finite number"),
        (json.dumps(GOOD | {"emotion": {"Awe": 1, "Fear": 10**400}}) + "\n", "not a finite number"),
        (json.dumps(GOOD | {"emotion": {"Awe": 1, "Fear": 1e39}}) + "\n", "not a finite number"),
    ],
)
def test_bad_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.jsonl").write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_records(tmp_path / "p.jsonl", SPEC)
    assert "\n" not in str(caught.value)


def test_missing_file_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="stage 7"):
        read_records(tmp_path / "p.jsonl", SPEC)
