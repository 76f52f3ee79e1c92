"""conf/tasks.yaml: every rule is one clear line, and nothing in the file runs."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_dump import TASKS

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task import RESERVED
from espnet2_ext.mtl.task_spec import Score, ScoreTerm, load_task_spec, task_spec_from_dict

REGRESSION = {"name": "age", "type": "regression", "dimensions": ["Age"]}
CLASSES = {"name": "country", "type": "classification", "classes": ["x", "y"]}


def spec_of(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"tasks": [copy.deepcopy(task) for task in tasks], **more}


def score_of(**term: Any) -> dict[str, Any]:
    return spec_of(REGRESSION, score={"name": "s", "terms": [{"task": "age", "metric": "ccc", **term}]})


# What is written, and what the line must say.
RULES: list[tuple[str, Any, str]] = [
    ("not a mapping", [], "needs a list `tasks`"),
    ("no tasks", {"score": {}}, "needs a list `tasks`"),
    ("tasks empty", {"tasks": []}, "at least one task"),
    ("tasks no list", {"tasks": REGRESSION}, "needs a list `tasks`"),
    ("unknown top key", spec_of(REGRESSION, socre={}), "unknown key 'socre'"),
    ("unknown top keys of two types", spec_of(REGRESSION) | {1: 2, "b": 3}, "unknown key '1'"),
    ("task no mapping", {"tasks": ["age"]}, "needs `name` and `type`"),
    ("no name", {"tasks": [{"type": "regression"}]}, "needs `name` and `type`"),
    ("no type", {"tasks": [{"name": "age"}]}, "needs `name` and `type`"),
    ("unknown task key", spec_of(REGRESSION | {"dimension": ["a"]}), "task 'age': unknown key 'dimension'"),
    ("name with dash", spec_of(REGRESSION | {"name": "a-b"}), "letters, digits and _"),
    ("name with slash", spec_of(REGRESSION | {"name": "../x"}), "letters, digits and _"),
    ("name with line end", spec_of(REGRESSION | {"name": "age\n"}), "letters, digits and _"),
    ("name a number", spec_of(REGRESSION | {"name": 3}), "letters, digits and _"),
    ("name a truth value", spec_of(REGRESSION | {"name": True}), "letters, digits and _"),
    *((f"reserved {name}", spec_of(REGRESSION | {"name": name}), "reserved") for name in RESERVED),
    ("type", spec_of(REGRESSION | {"type": "ordinal"}), "type is regression or classification, not 'ordinal'"),
    ("twice", spec_of(REGRESSION, REGRESSION), "task 'age' stands twice"),
    ("classes no list", spec_of(CLASSES | {"classes": "xy"}), "classes: give a list"),
    ("class twice", spec_of(CLASSES | {"classes": ["x", "x"]}), "unique"),
    ("class with blank", spec_of(CLASSES | {"classes": ["x", "South Africa"]}), "South Africa"),
    ("class empty", spec_of(CLASSES | {"classes": ["x", ""]}), "classes: names"),
    ("class nan", spec_of(CLASSES | {"classes": ["x", "nan"]}), "missing label"),
    ("class of yaml No", spec_of(CLASSES | {"classes": ["SE", False]}), "quotes"),
    ("class null", spec_of(CLASSES | {"classes": ["x", None]}), "quotes"),
    ("one class", spec_of(CLASSES | {"classes": ["x"]}), "two or more"),
    ("classification with dimensions", spec_of(CLASSES | {"dimensions": ["a"]}), "no `dimensions`"),
    ("classification normalised", spec_of(CLASSES | {"normalise": True}), "for regression"),
    ("classification with range", spec_of(CLASSES | {"range": [0, 1]}), "for regression"),
    ("classification with sigmoid", spec_of(CLASSES | {"activation": "sigmoid"}), "for regression"),
    ("no dimensions", spec_of(REGRESSION | {"dimensions": []}), "one or more"),
    ("regression with classes", spec_of(REGRESSION | {"classes": ["a", "b"]}), "no `classes`"),
    ("range one number", spec_of(REGRESSION | {"range": [1]}), "range is [lowest, highest]"),
    ("range a word", spec_of(REGRESSION | {"range": "01"}), "range is [lowest, highest]"),
    ("range of words", spec_of(REGRESSION | {"range": ["a", "b"]}), "range is [lowest, highest]"),
    ("range empty", spec_of(REGRESSION | {"range": [2, 2]}), "is empty"),
    ("range nan", spec_of(REGRESSION | {"range": [float("nan"), 2]}), "is empty"),
    ("activation", spec_of(REGRESSION | {"activation": "tanh"}), "linear or sigmoid, not 'tanh'"),
    ("sigmoid normalised", spec_of(REGRESSION | {"activation": "sigmoid", "normalise": True}), "standardised"),
    ("sigmoid of years", spec_of(REGRESSION | {"activation": "sigmoid", "range": [18, 40]}), "0 to 1 only"),
    ("regression loss", spec_of(REGRESSION | {"loss": "cross_entropy"}), "one of ccc, mse, l1, not 'cross_entropy'"),
    ("classification loss", spec_of(CLASSES | {"loss": "ccc"}), "one of cross_entropy, not 'ccc'"),
    ("regression metric", spec_of(REGRESSION | {"metric": "uar"}), "metric is one of ccc, pearson, mae"),
    ("classification metric", spec_of(CLASSES | {"metric": "mae"}), "metric is one of uar, wa, macro_f1"),
    ("exit 0", spec_of(REGRESSION | {"exit": 0}), "exit is a number from 1"),
    ("exit a fraction", spec_of(REGRESSION | {"exit": 1.5}), "exit is a number from 1"),
    ("exit a truth value", spec_of(REGRESSION | {"exit": True}), "exit is a number from 1"),
    ("loss_conf", spec_of(REGRESSION | {"loss_conf": [1]}), "loss_conf is a mapping"),
    ("normalise a word", spec_of(REGRESSION | {"normalise": "maybe"}), "normalise is true or false"),
    ("unit a number", spec_of(REGRESSION | {"unit": 5}), "unit is a word"),
    ("score a word", spec_of(REGRESSION, score="ccc"), "score has name, combine and terms"),
    ("score without terms", spec_of(REGRESSION, score={"name": "s"}), "score has name, combine and terms"),
    ("score with another key", spec_of(REGRESSION, score={"terms": [1], "mean": 1}), "score has name"),
    ("terms a number", spec_of(REGRESSION, score={"terms": 5}), "terms is a list"),
    ("terms words", spec_of(REGRESSION, score={"terms": ["age"]}), "a term has task (one of age)"),
    ("combine", spec_of(REGRESSION, score={"combine": "mean", "terms": [{}]}), "combine is harmonic_mean, not 'mean'"),
    ("term of no task", score_of(task="agee"), "one of age"),
    ("term of a list", score_of(task=["age"]), "one of age"),
    ("term with another key", score_of(weight=2), "a term has task"),
    ("term metric", score_of(metric="uar"), "age has no metric 'uar'; it has ccc, pearson, mae"),
    ("transform", score_of(transform="log"), "transform is inverse, not 'log'"),
    ("mae not inverted", score_of(metric="mae"), "mae needs inverse"),
    ("ccc inverted", score_of(transform="inverse"), "ccc takes no inverse"),
    *(
        (f"score called {name!r}", score_of() | {"score": score_of()["score"] | {"name": name}}, "score: ")
        for name in ("age_ccc", "loss_age", "time", "total_count", "a b", "", None, 3, "../x")
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_every_rule_is_one_line_that_names_the_file(data: Any, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        task_spec_from_dict(data, source="conf/tasks.yaml")
    line = str(caught.value)
    assert expected in line
    assert line.startswith("conf/tasks.yaml: ")
    assert "\n" not in line


def test_defaults() -> None:
    spec = task_spec_from_dict(spec_of(REGRESSION, CLASSES))
    age, country = spec
    assert (age.loss, age.metric, age.activation, age.exit, age.normalise, age.range) == (
        "ccc", "ccc", "linear", None, False, None,
    )  # fmt: skip
    assert (country.loss, country.metric, country.n_outputs, country.n_targets) == ("cross_entropy", "uar", 2, 1)
    assert (age.n_outputs, age.n_targets, age.labels, country.labels) == (1, 1, ("Age",), ("x", "y"))
    assert spec.names == ("age", "country")
    assert spec["country"] is country
    with pytest.raises(KeyError):
        spec["type"]


def test_default_score_is_of_the_tasks_own_metrics() -> None:
    spec = task_spec_from_dict(spec_of(REGRESSION | {"metric": "mae"}, CLASSES | {"metric": "wa"}))
    assert spec.score == Score("score", (ScoreTerm("age", "mae", inverse=True), ScoreTerm("country", "wa")))


def test_numbers_are_names() -> None:
    """Classes called 1 and 2 are no error, and stand as in the label file."""
    assert task_spec_from_dict(spec_of(CLASSES | {"classes": [1, 2]}))["country"].classes == ("1", "2")


def test_tasks_may_be_called_as_methods_of_torch() -> None:
    assert task_spec_from_dict(spec_of(CLASSES | {"name": "type"})).names == ("type",)


@pytest.mark.parametrize("data", [TASKS, spec_of(CLASSES | {"loss_conf": {"class_weights": [1.0, 2.0]}}, REGRESSION)])
def test_round_trip_through_yaml(data: dict[str, Any]) -> None:
    spec = task_spec_from_dict(data)
    assert task_spec_from_dict(yaml.safe_load(yaml.safe_dump(spec.to_dict()))) == spec


def test_subset_keeps_order_and_the_terms_of_its_tasks() -> None:
    spec = task_spec_from_dict(TASKS)
    subset = spec.subset(["country", "emotion"])
    assert subset.names == ("emotion", "country")
    assert subset.score == Score("score", (ScoreTerm("emotion", "ccc"), ScoreTerm("country", "uar")))
    assert spec.subset(["age"]).score == Score("score", (ScoreTerm("age", "mae", inverse=True),))


def test_subset_with_all_terms_keeps_the_scores_name() -> None:
    data = copy.deepcopy(TASKS)
    data["tasks"].append({"name": "type", "type": "classification", "classes": ["a", "b"]})
    spec = task_spec_from_dict(data)
    assert spec.subset(["age", "emotion", "country"]).score == spec.score


def test_subset_without_a_term_takes_the_tasks_own_metric() -> None:
    data = copy.deepcopy(TASKS)
    data["tasks"].append({"name": "type", "type": "classification", "classes": ["a", "b"], "metric": "macro_f1"})
    assert task_spec_from_dict(data).subset(["type"]).score == Score("score", (ScoreTerm("type", "macro_f1"),))


@pytest.mark.parametrize("names", [["emotoin"], []])
def test_subset_of_no_such_task(names: list[str]) -> None:
    with pytest.raises(UserError, match="choose among emotion, age, country"):
        task_spec_from_dict(TASKS).subset(names)


def test_with_exits() -> None:
    spec = task_spec_from_dict(TASKS)
    assert [task.exit for task in spec.with_exits({"age": 3})] == [2, 3, 2]
    assert spec["age"].exit == 1  # unchanged
    learnt = spec.with_exits({"age": "learnt"})
    assert [task.exit for task in task_spec_from_dict(learnt.to_dict())] == [2, "learnt", 2]
    for bad in ({"agee": 1}, {"age": "learned"}, {"age": 0}, {"age": "2"}, {"age": True}, {"age": 1.0}):
        with pytest.raises(UserError, match="exits"):
            spec.with_exits(bad)


def test_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tasks.yaml"
    path.write_text(yaml.safe_dump(TASKS))
    assert load_task_spec(path) == task_spec_from_dict(TASKS)


@pytest.mark.parametrize(
    "text",
    [
        "tasks: !!python/object/apply:os.system ['touch {marker}']",
        "tasks: !!python/object/new:os.system ['touch {marker}']",
        "tasks: !!python/name:os.system",
        "tasks: !mine 1",
        "tasks: [",
        "tasks: 2001-99-99",
        "\0",
    ],
)
def test_tags_and_torn_yaml_are_refused_and_run_nothing(tmp_path: Path, text: str) -> None:
    marker, path = tmp_path / "marker", tmp_path / "tasks.yaml"
    path.write_text(text.replace("{marker}", str(marker)))
    with pytest.raises(UserError) as caught:
        load_task_spec(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe tasks", b""])
def test_missing_binary_and_empty_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "tasks.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"tasks\.yaml: "):
        load_task_spec(path)
