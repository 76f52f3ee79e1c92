"""A module whose state is one number per task, saved under the task's name."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.option_values import finite_number


class TaskState(torch.nn.Module):
    """Holds vectors (K,) and saves each entry as `<vector>.<task>`.

    Computing with one vector costs one kernel for all tasks; saving by name lets a checkpoint be read with the tasks in
    another order, and makes a strict load fail for another set of tasks. Everything is floating point, since averaging
    checkpoints adds up integers.

    Args:
        task_names: The K tasks in the order of the vectors.

    Raises:
        ValueError: No task, or a name twice.
    """

    def __init__(self, task_names: Sequence[str]) -> None:
        super().__init__()
        self.task_names = tuple(task_names)
        if not self.task_names or len(set(self.task_names)) != len(self.task_names):
            raise ValueError(f"task names must be unique, at least one: {self.task_names}")
        self._vectors: list[str] = []

    def add_task_parameter(self, name: str, values: Sequence[float]) -> None:
        """Register a learnt float32 vector (K,), exempt from weight decay (decay would pull alpha towards 1)."""
        parameter = torch.nn.Parameter(torch.tensor(values, dtype=torch.float32))
        parameter._no_weight_decay = True  # read by ESPnet's optimizer groups
        self.register_parameter(name, parameter)
        self._vectors.append(name)

    def add_task_buffer(self, name: str, values: Sequence[float]) -> None:
        """Register a float32 vector (K,) that is not learnt but belongs to the checkpoint."""
        self.register_buffer(name, torch.tensor(values, dtype=torch.float32))
        self._vectors.append(name)

    def by_task(self, values: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return a vector (K,) as a mapping from task name to scalar."""
        return dict(zip(self.task_names, values.unbind(), strict=True))

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        for name in self._vectors:
            vector = getattr(self, name)
            for index, task in enumerate(self.task_names):
                destination[f"{prefix}{name}.{task}"] = vector[index] if keep_vars else vector.detach()[index]

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, torch.Tensor],
        prefix: str,
        local_metadata: Mapping[str, Any],  # noqa: ARG002 (torch's signature)
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        keys = {f"{prefix}{name}.{task}": (name, i) for name in self._vectors for i, task in enumerate(self.task_names)}
        for key, (name, index) in keys.items():
            if key not in state_dict:
                missing_keys.extend([key] if strict else [])
            elif state_dict[key].numel() != 1:
                error_msgs.append(f"size mismatch for {key}: {tuple(state_dict[key].shape)} is not one number")
            else:
                with torch.no_grad():
                    getattr(self, name)[index].copy_(state_dict[key].reshape(()))
        if strict:
            own = (key for key in state_dict if key.startswith(prefix))
            foreign = (key for key in own if key[len(prefix) :].split(".", 1)[0] not in self._modules)
            unexpected_keys.extend(key for key in foreign if key not in keys)


def values_by_task(
    option: str, values: float | Mapping[str, float], task_names: Sequence[str], default: float | None = None
) -> list[float]:
    """Read an option that is one number for all tasks, or a mapping from task name to number.

    Args:
        option: What the option is called, for messages.
        values: The number or the mapping.
        task_names: The tasks, in the order of the result.
        default: For a task that the mapping does not name. None: it must name them all.

    Returns:
        K finite numbers.

    Raises:
        UserError: Not a number, not finite, an unknown task, or a task is missing.
    """
    table = dict(values) if isinstance(values, Mapping) else dict.fromkeys(task_names, values)
    unknown = sorted(str(task) for task in set(table) - set(task_names))
    if unknown:
        raise UserError(f"{option}: no such task: {', '.join(unknown)}; the tasks are: {', '.join(task_names)}")
    missing = [task for task in task_names if task not in table]
    if missing and default is None:
        raise UserError(f"{option}: give a value for: {', '.join(missing)}")
    return [finite_number(option, table.get(task, default)) for task in task_names]
