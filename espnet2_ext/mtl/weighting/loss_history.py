"""The history of the losses behind the dynamic weight average."""

import math
from collections.abc import Mapping, Sequence

import torch

from espnet2_ext.mtl.option_values import finite_number, one_of
from espnet2_ext.mtl.weighting.task_state import TaskState


class LossHistory(TaskState):
    """lambda_k(t) = K softmax_k(r_k / T), r_k = L_k(t-1) / L_k(t-2) (Liu et al. 2019, equation 7).

    r_k is 1 for a task with fewer than two entries, so all weights are 1 at the first two t, and wherever the
    quotient is no finite number (a zero or negative loss at t-2). Weights are of all K tasks, and stay what they are in
    a batch that lacks some of them.

    Args:
        task_names: The K tasks.
        temperature: T > 0; the larger, the more even the weights.
        step: What t counts: `epoch`, means of the training epoch; or `iteration`, the losses of the training batches.

    Raises:
        UserError: An option is out of its range.
    """

    def __init__(self, task_names: Sequence[str], temperature: float, step: str) -> None:
        super().__init__(task_names)
        self.temperature = finite_number("temperature", temperature, above=0.0)
        self.step = one_of("step", step, ("epoch", "iteration"))
        for name, value in (("latest", 0.0), ("previous", 0.0), ("seen", 0.0), ("weight", 1.0)):
            self.add_task_buffer(name, [value] * len(self.task_names))

    def weights(self) -> torch.Tensor:
        """Return lambda (K,): a copy, since the history may move on before the backward pass."""
        return self.weight.clone()

    def on_step(self, losses: torch.Tensor, present: torch.Tensor | None) -> None:
        """Take in the losses (K,) of a training step where t counts iterations."""
        if self.step == "iteration":
            self._record(losses, torch.ones_like(losses, dtype=torch.bool) if present is None else present)

    def on_epoch_end(self, mean_losses: Mapping[str, float]) -> None:
        """Take in the mean losses of an epoch by task name where t counts epochs.

        Raises:
            ValueError: An unknown task.
        """
        unknown = sorted(set(mean_losses) - set(self.task_names))
        if unknown:
            raise ValueError(f"mean losses of {unknown}; the tasks are {', '.join(self.task_names)}")
        if self.step == "epoch":
            values = [float(mean_losses.get(task, math.nan)) for task in self.task_names]
            losses = torch.tensor(values, dtype=self.latest.dtype, device=self.latest.device)
            self._record(losses, ~losses.isnan())

    def stats(self) -> dict[str, torch.Tensor]:
        """Return `lambda_<task>`."""
        return {f"lambda_{task}": value for task, value in self.by_task(self.weights()).items()}

    def extra_repr(self) -> str:
        """Show the options."""
        return f"temperature={self.temperature:g}, step={self.step}"

    @torch.no_grad()
    def _record(self, losses: torch.Tensor, valid: torch.Tensor) -> None:
        valid = valid & losses.isfinite()
        self.previous.copy_(torch.where(valid, self.latest, self.previous))
        self.latest.copy_(torch.where(valid, losses, self.latest))
        self.seen.add_(valid).clamp_(max=2.0)
        ratio = self.latest / self.previous
        usable = (self.seen >= 2) & (self.previous > 0) & ratio.isfinite()
        ratio = torch.where(usable, ratio, 1.0)
        self.weight.copy_(len(self.task_names) * torch.softmax(ratio / self.temperature, 0))
