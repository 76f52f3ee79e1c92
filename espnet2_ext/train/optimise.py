"""The optimiser step: clipping by parameter group, and leaving out steps whose gradient is not finite."""

from collections.abc import Sequence

import torch
from torch import Tensor

WEIGHTING_GROUP = "weighting"


def clip_gradients(optimizer: torch.optim.Optimizer, max_norm: float, norm_type: float) -> tuple[Tensor, Tensor]:
    """Clip the network's gradients and, by themselves, those of the loss weighting.

    The weighting's parameters are few and their gradients are losses; they must not eat the network's budget.

    Returns:
        Norm of the network's gradient before clipping, and whether all gradients are finite (bool scalar).
    """
    network, weighting = [], []
    for group in optimizer.param_groups:
        (weighting if group.get("name") == WEIGHTING_GROUP else network).extend(group["params"])
    norm = torch.nn.utils.clip_grad_norm_(network, max_norm, norm_type)
    finite = norm.isfinite()
    if weighting:
        finite = finite & torch.nn.utils.clip_grad_norm_(weighting, max_norm, norm_type).isfinite()
    return norm, finite


def step_if_finite(
    optimizer: torch.optim.Optimizer, finite: Tensor, scaler: "torch.amp.GradScaler | None" = None
) -> None:
    """Step the optimiser unless a gradient is not finite, then clear the gradients.

    A fused optimiser decides on the device, so the host does not wait for the GPU.
    """
    if scaler is not None:
        scaler.step(optimizer)
        scaler.update()
    elif optimizer.defaults.get("fused"):
        optimizer.grad_scale, optimizer.found_inf = None, (~finite).float()
        optimizer.step()
    elif bool(finite):
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def parameter_groups(
    network: Sequence[tuple[str, torch.nn.Parameter]],
    weighting: Sequence[torch.nn.Parameter],
    encoder_lr: float | None,
    weighting_lr: float | None,
) -> list[dict]:
    """Make the optimiser's groups: encoder, heads, and the weighting (own learning rate, no weight decay).

    Args:
        network: Names and parameters outside the weighting; those of the encoder start with `encoder.`.
        weighting: Parameters of the weighting.
        encoder_lr: Learning rate of the encoder; None is the optimiser's.
        weighting_lr: Learning rate of the weighting; None is the optimiser's.
    """
    encoder = [p for name, p in network if name.startswith("encoder.") and p.requires_grad]
    heads = [p for name, p in network if not name.startswith("encoder.") and p.requires_grad]
    groups: list[dict] = [{"name": "encoder", "params": encoder}, {"name": "heads", "params": heads}]
    if encoder_lr is not None:
        groups[0]["lr"] = encoder_lr
    if weighting:
        group = {"name": WEIGHTING_GROUP, "params": list(weighting), "weight_decay": 0.0}
        groups.append(group | ({} if weighting_lr is None else {"lr": weighting_lr}))
    return [group for group in groups if group["params"]]
