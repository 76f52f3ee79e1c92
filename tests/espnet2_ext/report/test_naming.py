from fake_experiment import make_spec

from espnet2_ext.mtl.task_spec import task_spec_from_dict
from espnet2_ext.report.naming import lower_is_better, main_keys, metric_name

SPEC = make_spec(3)


def test_keys_are_written_for_people() -> None:
    assert metric_name(SPEC, "emotion_ccc") == "emotion CCC"
    assert metric_name(SPEC, "age_mae") == "age MAE (years)"
    assert metric_name(SPEC, "age_ccc") == "age CCC"
    assert metric_name(SPEC, "country_macro_f1") == "country macro F1"
    assert metric_name(SPEC, "s_mtl") == "S_MTL"


def test_only_errors_are_better_when_lower() -> None:
    keys = ["emotion_ccc", "emotion_mae", "country_uar", "s_mtl"]
    assert [lower_is_better(SPEC, key) for key in keys] == [False, True, False, False]


def test_short_tables_show_what_the_score_is_made_of_and_every_task() -> None:
    assert main_keys(SPEC) == ["emotion_ccc", "country_uar", "age_mae", "s_mtl"]
    data = SPEC.to_dict()
    data["score"]["terms"] = data["score"]["terms"][:1]
    assert main_keys(task_spec_from_dict(data)) == ["emotion_ccc", "country_uar", "age_mae", "s_mtl"]


def test_score_of_one_task_is_not_shown_twice() -> None:
    """The score of emotion alone is its CCC; that of age alone is 1 / MAE, which is something else."""
    assert main_keys(SPEC.subset(["emotion"])) == ["emotion_ccc"]
    assert main_keys(SPEC.subset(["age"])) == ["age_mae", "score"]


def test_task_whose_name_starts_another_is_not_taken_for_it() -> None:
    tasks = [{"name": name, "type": "classification", "classes": ["a", "b"]} for name in ("voc", "voc_type")]
    assert metric_name(task_spec_from_dict({"tasks": tasks}), "voc_type_uar") == "voc type UAR"
