"""Loss weighting across the dimensions of tasks, below the weighting across tasks."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_losses import DimensionLosses
from espnet2_ext.mtl.task_modules import TaskModules
from espnet2_ext.mtl.task_spec import Task
from espnet2_ext.mtl.weighting import AbsWeighting, build_weighting


class DimensionWeighting(torch.nn.Module):
    """A weighting of their own for the dimensions of each of some tasks.

    A task's loss is then, in place of the mean over its n labelled dimensions, the weighting's total divided by n: a
    weighting with all weights 1 gives that mean exactly. A weighting whose weights sum to 1 (softmax) is multiplied by
    D, so that it starts from the mean too. Regularisers and restraints are divided with the total, which leaves the
    optimum of what is learnt where it is. A dimension without a label in the batch is absent, as a task is.

    Everything is named `<task>_<dimension>`: logged values, entries of a checkpoint, options by name.

    Args:
        tasks: Regression tasks with two dimensions or more.
        name: A weighting.
        conf: Its options, for all of these tasks; of an option by name each task takes what is its own.

    Raises:
        UserError: Unknown name or option, or an option out of its range.
    """

    def __init__(self, tasks: Sequence[Task], name: str, conf: Mapping[str, Any]) -> None:
        super().__init__()
        names = {task.name: loss_names(task) for task in tasks}
        everyone = {loss for losses in names.values() for loss in losses}
        self.weightings = TaskModules(
            {
                task: build_weighting(name, losses, **{key: _own(conf[key], losses, everyone) for key in conf})
                for task, losses in names.items()
            }
        )

    def forward(
        self, means: Mapping[str, Tensor], by_dimension: Mapping[str, DimensionLosses]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weigh the dimensions.

        Args:
            means: Each task's loss by name, ().
            by_dimension: Losses of the dimensions, by task.

        Returns:
            Each task's loss, (), of those that are weighted here their dimensions' combination. And statistics, scalars
            without gradient: `loss_<task>_<dimension>` and `weight_<task>_<dimension>` (NaN without a label), what the
            weightings log, and the combination as `combined_<task>`.
        """
        losses, stats = dict(means), {}
        for task, weighting in self.weightings.items():
            values, labelled = by_dimension[task]
            total, weights = weighting.weigh(values, labelled)
            factor = len(weighting.task_names) if weighting.sums_to_one else 1
            losses[task] = factor * total / labelled.sum().clamp(min=1)
            for what, found in (("loss", values.detach()), ("weight", weights)):
                found = torch.where(labelled, found, torch.nan)
                stats |= {f"{what}_{name}": value for name, value in weighting.by_task(found).items()}
            stats |= _named(weighting.stats(), task, weighting)
            stats[f"combined_{task}"] = torch.where(labelled.any(), losses[task].detach(), torch.nan)
        return losses, stats

    def on_epoch_end(self, means: Mapping[str, float]) -> None:
        """Hand the epoch's mean unweighted training losses to the weightings.

        Args:
            means: `loss_<task>_<dimension>`, over all ranks; NaN for a dimension that never had a label.
        """
        for weighting in self.weightings.values():
            weighting.on_epoch_end({name: means[f"loss_{name}"] for name in weighting.task_names})


def build_dimension_weighting(
    tasks: Sequence[Task], name: str, conf: Mapping[str, Any], chosen: Collection[str], outer: AbsWeighting
) -> DimensionWeighting | None:
    """Build the inner level of a weighting.

    Args:
        tasks: All tasks.
        name: The weighting across dimensions.
        conf: Its options.
        chosen: Names of the tasks that get one; empty for every regression with several dimensions.
        outer: The weighting across tasks.

    Returns:
        The weighting; None where no task is left that has several dimensions.

    Raises:
        UserError: An option is impossible, two losses have one name, or the levels do not go together.
    """
    weighted = [task for task in tasks if has_dimensions(task) and (not chosen or task.name in chosen)]
    if not weighted:
        return None
    logged = [*(task.name for task in tasks), *(loss for task in weighted for loss in loss_names(task))]
    twice = [loss for loss in logged if logged.count(loss) > 1]
    if twice:
        raise UserError(f"dimension_weighting: two losses are called {twice[0]}; rename a task or a dimension")
    weighting = DimensionWeighting(weighted, name, conf)
    if any(inner.below_zero for inner in weighting.weightings.values()) and list(outer.parameters()):
        raise UserError(
            f"dimension_weighting: {name}: a task's loss can then fall below 0, and a learnt weighting of tasks runs "
            "away with it; take ruw, or equal, static or dwa across tasks"
        )
    return weighting


def has_dimensions(task: Task) -> bool:
    """Whether there is something to weigh inside a task."""
    return not task.is_classification and len(task.dimensions) > 1


def loss_names(task: Task) -> tuple[str, ...]:
    """Names of the losses of a task's dimensions."""
    return tuple(f"{task.name}_{dimension}" for dimension in task.dimensions)


def _own(option: Any, losses: Sequence[str], everyone: Collection[str]) -> Any:
    """Of an option by names of losses keep those of one task; an option with any other key stays as it is."""
    if not isinstance(option, Mapping) or not set(option) <= set(everyone):
        return option
    return {loss: value for loss, value in option.items() if loss in losses}


def _named(stats: Mapping[str, Tensor], task: str, weighting: AbsWeighting) -> dict[str, Tensor]:
    """What is of all dimensions together (`balance`, `restraint_sum`) gets the task's name."""
    endings = tuple(f"_{name}" for name in weighting.task_names)
    return {key if key.endswith(endings) else f"{key}_{task}": value for key, value in stats.items()}
