"""Weights of many dimensions: a panel a task, readable with 40 lines."""

from pathlib import Path

import pytest

from espnet2_ext.mtl.task_spec import task_spec_from_dict
from espnet2_ext.report.experiment import Experiment
from espnet2_ext.report.figure.style import line_styles, styled
from espnet2_ext.report.figure.weights import extremes, weight_curve, weighted_dimensions, weighted_losses

EMOTIONS = [f"Emotion{i}" for i in range(10)]
MANY = [f"United_States_{name}_{i}" for name in EMOTIONS for i in range(4)]
SPEC = {
    "tasks": [
        {"name": "type", "type": "classification", "classes": ["x", "y"]},
        {"name": "two", "type": "regression", "dimensions": ["Valence", "Arousal"]},
        {"name": "high", "type": "regression", "dimensions": EMOTIONS},
        {"name": "culture", "type": "regression", "dimensions": MANY},
    ]
}


@pytest.fixture
def experiment() -> Experiment:
    spec = task_spec_from_dict(SPEC)
    train = {}
    for epoch in range(1, 6):
        row = {f"weight_{task.name}": 1.0 for task in spec}
        for task in spec.tasks[1:]:
            for index, name in enumerate(task.dimensions):
                row[f"weight_{task.name}_{name}"] = 1 + 0.02 * epoch * (index - len(task.dimensions) / 2)
        train[epoch] = row
    return Experiment(Path("exp"), {}, spec, train, {}, {})


def test_one_panel_a_task(experiment: Experiment) -> None:
    with styled():
        panels = weight_curve(experiment).axes
    assert [panel.get_ylabel() for panel in panels] == [
        "task weight", "weight in two", "weight in high", "weight in culture",
    ]  # fmt: skip
    named = [[text.get_text() for text in panel.get_legend().get_texts()] for panel in panels]
    assert named[:3] == [["type", "two", "high", "culture"], ["Valence", "Arousal"], EMOTIONS]
    # Of 40, drawn all, those that end highest and lowest are named: weights rise with the place in the list.
    assert named[3] == [*MANY[:-4:-1], *MANY[2::-1]]
    assert len(panels[3].lines) == 40 + 6


def test_lines_that_hardly_change_are_below_the_upper_edge() -> None:
    spec = task_spec_from_dict({"tasks": SPEC["tasks"][:1]})
    train = {1: {"weight_type": 1.99}, 2: {"weight_type": 1.95}}
    with styled():
        low, high = weight_curve(Experiment(Path("exp"), {}, spec, train, {}, {})).axes[0].get_ylim()
    assert low == 0
    assert high > 1.04 * 1.99


@pytest.mark.parametrize(
    "names",
    [
        ["emotion", "country", "age", "type"],
        ["country", "age", "type", "awe", "excitement"],
        ["valence_by_others", "arousal_by_others", "dominance", "emotion_nine_classes", "gender"],
        ["a", "b"],
        ["a_single_task_with_a_name_that_is_long_enough"],
    ],
)
def test_legend_of_tasks_is_inside_the_figure(names: list[str]) -> None:
    spec = task_spec_from_dict({"tasks": [{"name": n, "type": "classification", "classes": ["x", "y"]} for n in names]})
    train = {epoch: {f"weight_{name}": 1.0 for name in names} for epoch in (1, 2)}
    with styled():
        figure = weight_curve(Experiment(Path("exp"), {}, spec, train, {}, {}))
        figure.canvas.draw()
        box = figure.axes[0].get_legend().get_window_extent()
        # Nor is the panel made narrow for it.
        assert figure.axes[0].bbox.width > 0.75 * figure.bbox.width
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1


def test_tasks_and_dimensions_are_told_apart(experiment: Experiment) -> None:
    assert weighted_losses(experiment) == ("type", "two", "high", "culture")
    assert {task: len(names) for task, names in weighted_dimensions(experiment).items()} == {
        "two": 2, "high": 10, "culture": 40,
    }  # fmt: skip
    assert extremes(experiment, "two", ("Valence", "Arousal")) == [("Arousal", 1.0), ("Valence", pytest.approx(0.9))]


def test_no_two_lines_look_alike() -> None:
    assert len({(style["color"], str(style["linestyle"])) for style in line_styles(28)}) == 28
