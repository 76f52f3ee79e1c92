"""What TensorBoard and W&B get: unweighted losses, weights and metrics of every task, the values of history.json."""

import argparse
import json
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import espnet2.tasks.abs_task
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from train_tiny import complaint, train

TASKS = ("emotion", "age", "country")
TRAIN = [f"{what}_{task}" for what in ("loss", "weight", "alpha", "lambda") for task in TASKS] + ["restraint_sum"]
VALID = [f"loss_{task}" for task in TASKS]
VALID += ["emotion_ccc", "age_mae", "country_uar", "country_macro_f1", "s_mtl", "score"]
MORE = ["--weighting", "druw", "--max_epoch", "3", "--log_interval", "2"]
STEPS = 3  # 24 utterances in batches of 8


class FakeWandb(types.ModuleType):
    """W&B without a network: keeps what it is given."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.__spec__ = ModuleSpec("wandb", None)
        self.errors = types.SimpleNamespace(UsageError=RuntimeError)
        self.config = self
        self.run: object | None = None
        self.begun: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        self.logged: list[dict[str, float]] = []

    def login(self) -> None:
        pass

    def init(self, **options: Any) -> None:
        self.begun, self.run = options, self

    def update(self, args: argparse.Namespace, **_: Any) -> None:
        self.options = vars(args)

    def log(self, values: dict[str, float]) -> None:
        self.logged.append(values)

    def finish(self) -> None:
        self.run = None


@pytest.fixture(scope="module")
def trained(options: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("boards") / "exp"
    return out, train(options, out, *MORE, "--use_tensorboard", "true")


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Values of TensorBoard's files by name and step."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}


@pytest.mark.parametrize(("phase", "names"), [("train", TRAIN), ("valid", VALID)])
def test_tensorboard_has_every_epochs_values(
    trained: tuple[Path, dict[str, Any]], phase: str, names: list[str]
) -> None:
    out, history = trained
    found = scalars(out / "tensorboard" / phase)
    for name in names:
        assert list(found[name]) == [STEPS, 2 * STEPS, 3 * STEPS], name
        assert list(found[name].values()) == pytest.approx([history[e][phase][name] for e in "123"], rel=1e-6), name


def test_tensorboard_has_the_steps(trained: tuple[Path, dict[str, Any]]) -> None:
    """Means of every two steps and of the rest of the epoch: weighted by steps they make the epoch's value."""
    out, history = trained
    found = scalars(out / "tensorboard/train")
    for name in ("weight_age", "loss", "restraint_sum"):
        values = found[f"step/{name}"]
        assert list(values) == [2, 3, 5, 6, 8, 9], name
        assert (2 * values[2] + values[3]) / STEPS == pytest.approx(history["1"]["train"][name], rel=1e-5)


def test_wandb_gets_every_epochs_values(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setattr(espnet2.tasks.abs_task, "wandb", fake)
    wandb = ["--use_wandb", "true", "--wandb_project", "bursts", "--wandb_name", "first"]
    history = train(options, tmp_path / "exp", *MORE, *wandb)
    assert (fake.begun["project"], fake.begun["name"]) == ("bursts", "first")
    assert fake.options["weighting"] == "druw"
    assert fake.run is None  # finished
    assert [values["epoch"] for values in fake.logged] == [1, 2, 3]
    for epoch, values in enumerate(fake.logged, 1):
        by_name = {name.split("/")[-1]: value for name, value in values.items()}
        for phase, names in (("train", TRAIN), ("valid", VALID)):
            for name in names:
                expected = history[str(epoch)][phase][name]
                assert by_name[f"{phase}_{name}_epoch"] == pytest.approx(expected, nan_ok=True), name
    json.dumps(fake.logged)  # plain numbers


def test_wandb_that_is_not_installed(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    message = complaint(options, tmp_path / "exp", "--use_wandb", "true")
    assert message == "--use_wandb true: wandb is not installed; run `pip install wandb` in the environment"
