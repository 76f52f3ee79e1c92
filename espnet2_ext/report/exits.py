"""Learnt exits of an experiment: which depth each task chose."""

from dataclasses import dataclass

from espnet2_ext.mtl.task_spec import LEARNT
from espnet2_ext.report.experiment import Experiment, best_epoch


@dataclass(frozen=True)
class ChosenExit:
    """What a task had learnt in one epoch.

    Attributes:
        task: The task.
        epoch: The epoch; values are means over its steps.
        shares: Share of each exit by number, with sum 1.
        depth: Expected depth, sum of share times number.
    """

    task: str
    epoch: int
    shares: dict[int, float]
    depth: float

    @property
    def number(self) -> int:
        """The exit with the largest share."""
        return max(self.shares, key=self.shares.__getitem__)

    @property
    def text(self) -> str:
        """E.g. `age: exit 3 of 5, share 0.62, expected depth 2.9`."""
        return (
            f"{self.task.replace('_', ' ')}: exit {self.number} of {max(self.shares)}, "
            f"share {self.shares[self.number]:.2f}, expected depth {self.depth:.2f}"
        )


def exit_numbers(experiment: Experiment, task: str) -> list[int]:
    """Return the exits that a task mixes, as far as the history knows them."""
    names = {name for values in experiment.train.values() for name in values}
    prefix = f"exit_{task}_"
    return sorted(int(rest) for name in names if (rest := name.removeprefix(prefix)) != name and rest.isdecimal())


def learnt_exits(experiment: Experiment) -> tuple[str, ...]:
    """Return the tasks whose learnt exits the history knows."""
    return tuple(t.name for t in experiment.spec if t.exit == LEARNT and exit_numbers(experiment, t.name))


def chosen_exits(experiment: Experiment) -> list[ChosenExit]:
    """Return what each task with a learnt exit chose in the best epoch, or else in the last one."""
    if not learnt_exits(experiment):
        return []
    epoch = best_epoch(experiment) or max(experiment.train)
    values = experiment.train[epoch]
    return [
        ChosenExit(
            task,
            epoch,
            {number: values[f"exit_{task}_{number}"] for number in exit_numbers(experiment, task)},
            values[f"depth_{task}"],
        )
        for task in learnt_exits(experiment)
    ]
