import math
import re

import pytest
import torch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.weighting import build_weighting

TASKS = ("emotion", "age")
REFUSED = [
    ("uwe", {}, "weighting: no such weighting: uwe; use one of equal, static, uw"),
    ("uw", {"temperature": 1.0}, "weighting uw: no such option: temperature; its options are: form, initial_alpha"),
    ("equal", {"average": True}, "weighting equal: no such option: average; its options are: none"),
    ("static", {}, "weighting static: set the option weights"),
    ("static", {"weights": {"emotion": 1.0}}, "weights: give a value for: age"),
    ("static", {"weights": {"emotion": 1.0, "age": 1, "sex": 1}}, "weights: no such task: sex"),
    ("static", {"weights": {"emotion": -1.0, "age": 1}}, "weights: must be >= 0"),
    ("static", {"weights": {"emotion": 0, "age": 0}}, "not all 0"),
    ("static", {"weights": {"emotion": "1", "age": 1}}, "weights: must be a number, not '1'"),
    ("static", {"weights": 1.0}, "weights: give a weight for each task by name"),
    ("uw", {"form": "kendall"}, "form: must be one of paper, released, not 'kendall'"),
    ("uw", {"initial_alpha": 0.0}, "initial_alpha: must be greater than 0"),
    ("uw", {"initial_alpha": {"sex": 1.0}}, "initial_alpha: no such task: sex"),
    ("uw", {"initial_alpha": math.nan}, "initial_alpha: must be a number"),
    ("ruw", {"regulariser": "log"}, "regulariser: must be one of log1p_alpha2, printed"),
    ("ruw", {"regulariser": "printed", "initial_alpha": 0.9}, "regulariser printed: alpha must start at 1 or above"),
    ("ruw", {"regulariser": "printed", "form": "released"}, "regulariser printed: alpha must start at 1 or above"),
    ("rruw", {"restraint": "sum"}, "restraint: must be one of log_alpha, alpha"),
    ("rruw", {"phi": 0.0}, "phi: must be greater than 0"),
    ("rruw", {"restraint_coefficient": -1}, "restraint_coefficient: must be greater than 0"),
    ("dwa", {"temperature": 0}, "temperature: must be greater than 0"),
    ("dwa", {"temperature": True}, "temperature: must be a number, not True"),
    ("druw", {"step": "batch"}, "step: must be one of epoch, iteration, not 'batch'"),
    ("druw", {"balance": 1.2}, "balance: must lie in [0, 1], not 1.2"),
    ("druw", {"balance": "learnt"}, "balance: give a number in [0, 1], or a kind (scheduled, learnt) with its options"),
    ("druw", {"balance": {"prior": 2.0}}, "balance: give a number in [0, 1], or a kind (scheduled, learnt) with its"),
    ("druw", {"balance": {"kind": "annealed"}}, "balance: no such balance: annealed; use one of scheduled, learnt"),
    ("druw", {"balance": {"kind": "learnt", "start": 0.5}}, "balance learnt: no such option: start"),
    ("druw", {"balance": {"kind": "learnt", "prior": 1.0}}, "balance: prior: must be greater than 1, not 1"),
    ("druw", {"balance": {"kind": "scheduled", "end": 0.5}}, "balance scheduled: set the option start, epochs"),
    ("druw", {"balance": {"kind": "scheduled", "start": -0.1, "end": 0.5, "epochs": 9}}, "balance: start: must lie in"),
    ("druw", {"balance": {"kind": "scheduled", "start": 0, "end": 1, "epochs": 1}}, "balance: epochs: must be a whole"),
    (
        "druw",
        {"balance": {"kind": "scheduled", "start": 0, "end": 1, "epochs": 2, "shape": "step"}},
        "balance: shape: must be one of linear, cosine",
    ),
    ("ruwl", {"scales": {"age": 0.0}}, "scales: must be greater than 0"),
]


@pytest.mark.parametrize(("name", "conf", "message"), REFUSED)
def test_refused_in_one_line(name: str, conf: dict, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as error:
        build_weighting(name, TASKS, **conf)
    assert "\n" not in str(error.value)


def test_wrong_use_is_an_error() -> None:
    weighting = build_weighting("uw", TASKS)
    with pytest.raises(ValueError, match="sex"):
        weighting({"sex": torch.tensor(1.0)})
    with pytest.raises(ValueError, match="no task"):
        weighting({})
    with pytest.raises(ValueError, match="sex"):
        build_weighting("dwa", TASKS).on_epoch_end({"sex": 1.0})
    with pytest.raises(ValueError, match="unique"):
        build_weighting("uw", ("a", "a"))
    with pytest.raises(ValueError, match="at least one"):
        build_weighting("equal", ())


def test_repr_shows_the_options() -> None:
    shown = repr(build_weighting("druw", TASKS, temperature=3.0, phi=2.0, restraint="alpha"))
    for option in ("temperature=3", "step=epoch", "phi=2", "restraint=alpha", "regulariser=log1p_alpha2", "form=paper"):
        assert option in shown
    assert "emotion=1" in repr(build_weighting("static", TASKS, weights={"emotion": 1, "age": 2}))


def test_task_names_may_be_any_string() -> None:
    weighting = build_weighting("druw", ("a.b", "keys"))
    copy = build_weighting("druw", ("keys", "a.b"))
    weighting({"a.b": torch.tensor(1.0), "keys": torch.tensor(3.0)})[0].backward()
    torch.optim.SGD(weighting.parameters(), lr=0.1).step()
    copy.load_state_dict(weighting.state_dict())
    for name, value in weighting.stats().items():
        assert copy.stats()[name] == value
