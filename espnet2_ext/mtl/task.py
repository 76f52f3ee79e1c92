"""One task of `conf/tasks.yaml`."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from espnet2_ext.errors import UserError

REGRESSION = "regression"
CLASSIFICATION = "classification"
# An exit that is a mixture of all, learnt with the network.
LEARNT = "learnt"
# Of a batch: where its second view is masked.
TWIN_MASKS = "twin_masks"
# Files utt2<name> that Kaldi directories have anyway, inputs of the model, and keys of prediction records.
RESERVED = (
    "spk", "dur", "num_frames", "shape", "lang", "feats", "feats_lengths", "utt", "notes", "score", "self", TWIN_MASKS,
)  # fmt: skip
# A task's loss and metric when tasks.yaml names none.
_DEFAULTS = {REGRESSION: ("ccc", "ccc"), CLASSIFICATION: ("cross_entropy", "uar")}
METRICS = {REGRESSION: ("ccc", "pearson", "mae"), CLASSIFICATION: ("uar", "wa", "macro_f1")}
_LOSSES = {REGRESSION: ("ccc", "mse", "l1"), CLASSIFICATION: ("cross_entropy",)}
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: The task's name; its label file is `utt2<name>`.
        type: `regression` or `classification`.
        dimensions: Names of the regression targets, in the order of the label file.
        classes: Names of the classes; a class's index is its place here.
        loss: Name in `espnet2_ext.mtl.loss.LOSSES`.
        loss_conf: Options of the loss.
        metric: The metric that stands for the task in tables.
        activation: `sigmoid` (targets in [0, 1]) or `linear`.
        normalise: Whether targets are standardised by the training set's mean and deviation for the loss. Predictions
            are always reported in `unit`.
        unit: Unit of the targets, e.g. `years`; empty for none.
        range: Smallest and largest permitted label, or None.
        exit: Number of the encoder's exit (from 1) that the task leaves at, or `learnt`: a mixture of all of them. None
            is the last one.
    """

    name: str
    type: str
    dimensions: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    loss: str = ""
    loss_conf: Mapping[str, Any] = field(default_factory=dict)
    metric: str = ""
    activation: str = "linear"
    normalise: bool = False
    unit: str = ""
    range: tuple[float, float] | None = None
    exit: int | str | None = None

    @property
    def is_classification(self) -> bool:
        """Whether the targets are classes."""
        return self.type == CLASSIFICATION

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs: classes or dimensions."""
        return self.classes if self.is_classification else self.dimensions

    @property
    def n_outputs(self) -> int:
        """Number of outputs of the task's head."""
        return len(self.labels)

    @property
    def n_targets(self) -> int:
        """Number of label columns: 1 class index, or the dimensions."""
        return 1 if self.is_classification else len(self.dimensions)


def parse_task(item: Any, source: str) -> Task:
    """Build a task from its mapping in tasks.yaml; `source` is named in errors.

    Raises:
        UserError: The mapping describes something impossible.
    """
    if not isinstance(item, dict) or "name" not in item or "type" not in item:
        raise UserError(f"{source}: every task needs `name` and `type`: {item!r}")
    where = f"{source}: task {item['name']!r}"
    known = {f.name for f in dataclasses.fields(Task)}
    unknown = set(item) - known
    if unknown:
        raise UserError(f"{where}: unknown key {min(map(str, unknown))!r}; known are {', '.join(sorted(known))}")
    item = dict(item)
    if not isinstance(item["name"], str) or not NAME.fullmatch(item["name"]):
        raise UserError(f"{where}: a name is letters, digits and _, and starts with a letter")
    if item["name"] in RESERVED:
        raise UserError(f"{where}: the name is reserved; choose another than {', '.join(RESERVED)}")
    if item["type"] not in (REGRESSION, CLASSIFICATION):
        raise UserError(f"{where}: type is {REGRESSION} or {CLASSIFICATION}, not {item['type']!r}")
    loss, metric = _DEFAULTS[item["type"]]
    item["loss"], item["metric"] = item.get("loss", loss), item.get("metric", metric)
    for key in ("dimensions", "classes"):
        item[key] = _names(item.get(key, ()), f"{where}: {key}")
    if item.get("range") is not None:
        item["range"] = _range(item["range"], where)
    task = Task(**item)
    _check_task(task, where)
    return task


def _names(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise UserError(f"{where}: give a list, not {value!r}")
    # Yaml reads No and Yes as truth values: the class No (or Norway's code) would become False.
    odd = [name for name in value if isinstance(name, bool) or not isinstance(name, str | int)]
    if odd:
        raise UserError(f"{where}: {odd[0]!r} is not a name for yaml; put it in quotes")
    names = tuple(str(name) for name in value)
    bad = [name for name in names if not name or name.split() != [name] or name == "nan"]
    if bad or len(set(names)) != len(names):
        raise UserError(
            f"{where}: names are unique, hold no white space and are not nan (a missing label): {bad or list(names)}"
        )
    return names


def _range(value: Any, where: str) -> tuple[float, float]:
    try:
        low, high = (float(v) for v in (value if isinstance(value, list | tuple) else ()))
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: range is [lowest, highest], not {value!r}") from error
    if not low < high:
        raise UserError(f"{where}: range [{low}, {high}] is empty")
    return low, high


def _check_task(task: Task, where: str) -> None:
    if task.is_classification and (len(task.classes) < 2 or task.dimensions):
        raise UserError(f"{where}: a classification has `classes`, two or more, and no `dimensions`")
    if task.is_classification and (task.normalise or task.range or task.activation != "linear"):
        raise UserError(f"{where}: activation, normalise and range are for regression")
    if not task.is_classification:
        _check_regression(task, where)
    if task.loss not in _LOSSES[task.type]:
        raise UserError(f"{where}: loss of a {task.type} is one of {', '.join(_LOSSES[task.type])}, not {task.loss!r}")
    if task.metric not in METRICS[task.type]:
        raise UserError(f"{where}: metric is one of {', '.join(METRICS[task.type])}, not {task.metric!r}")
    if task.exit is not None and not is_exit(task.exit):
        raise UserError(f"{where}: exit is a number from 1 or {LEARNT}, not {task.exit!r}")
    if not isinstance(task.loss_conf, dict) or not isinstance(task.normalise, bool):
        raise UserError(f"{where}: loss_conf is a mapping and normalise is true or false")
    if not isinstance(task.unit, str):
        raise UserError(f"{where}: unit is a word such as years, not {task.unit!r}")


def _check_regression(task: Task, where: str) -> None:
    if not task.dimensions or task.classes:
        raise UserError(f"{where}: a regression has `dimensions`, one or more, and no `classes`")
    if task.activation not in ("linear", "sigmoid"):
        raise UserError(f"{where}: activation is linear or sigmoid, not {task.activation!r}")
    if task.activation == "sigmoid" and task.normalise:
        raise UserError(f"{where}: a sigmoid cannot reach standardised targets; drop normalise or the sigmoid")
    if task.activation == "sigmoid" and task.range and not 0 <= task.range[0] < task.range[1] <= 1:
        raise UserError(f"{where}: a sigmoid reaches 0 to 1 only, not the range {list(task.range)}; use linear")


def is_exit(value: Any) -> bool:
    """Whether a value can be an exit: a number from 1 (yaml's true is none), or `learnt`."""
    return value == LEARNT or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)
