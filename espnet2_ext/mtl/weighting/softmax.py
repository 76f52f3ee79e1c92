"""Weights that are a softmax of learnt numbers."""

from collections.abc import Sequence

import torch

from espnet2_ext.mtl.weighting.abs_weighting import AbsWeighting, weighted_sum


class SoftmaxWeighting(AbsWeighting):
    """sum_k w_k L_k with w = softmax(lambda), lambda learnt with the network from 0.

    The "dynamic weights of joint loss" of end-to-end multimodal emotion and gender recognition, equations 1 and 2.

    Nothing holds the weights apart from the softmax: the gradient of lambda_k is w_k (L_k - sum_j w_j L_j), so they
    drift to the task with the smallest loss (.64 for gender, .36 for emotion in that paper), and in the end to it
    alone. The smaller joint loss that follows is no sign of a better model: judge by metrics, and keep the weights'
    learning rate low.

    The lambda of a task that is absent from the batch counts in the softmax as a constant: the others' weights do not
    depend on who is present.

    Args:
        task_names: The K tasks.
    """

    sums_to_one = True

    def __init__(self, task_names: Sequence[str]) -> None:
        super().__init__(task_names)
        self.add_task_parameter("logit", [0.0] * len(self.task_names))

    def combine(self, losses: torch.Tensor, present: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Weigh the losses (K,); see `AbsWeighting.combine`."""
        logit = self.logit if present is None else torch.where(present, self.logit, self.logit.detach())
        weights = torch.softmax(logit, 0)
        return weighted_sum(weights, losses), weights
