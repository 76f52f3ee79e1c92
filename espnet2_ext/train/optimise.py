"""The optimiser step: clipping by parameter group, and leaving out steps whose gradient is not finite."""

from collections.abc import Collection, Iterable

import torch
from torch import Tensor

from espnet2_ext.errors import UserError

WEIGHTING_GROUP = "weighting"
EXIT_GROUP = "exit_shares"


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
    parameters: Iterable[tuple[str, torch.nn.Parameter]],
    encoder_lr: float | None,
    weighting_lr: float | None,
    exit_lr: float | None,
    new: Collection[str] = (),
) -> list[dict]:
    """Make the optimiser's groups: encoder, heads, and without weight decay the weighting and the logits of exits.

    Args:
        parameters: Names and parameters of the model.
        encoder_lr: Learning rate of the encoder; None is the optimiser's.
        weighting_lr: Learning rate of the weightings, of tasks and of dimensions; None is the optimiser's.
        exit_lr: Learning rate of the logits of learnt exits; None is the optimiser's.
        new: Names of the encoder's parameters that are not pretrained; they go with the heads.

    Raises:
        UserError: `encoder_lr` is given, and nothing of the encoder learns.
    """
    groups: dict[str, dict] = {
        "encoder": _group(encoder_lr),
        "heads": _group(None),
        WEIGHTING_GROUP: _group(weighting_lr, weight_decay=0.0),
        EXIT_GROUP: _group(exit_lr, weight_decay=0.0),
    }
    for name, parameter in parameters:
        first, last = name.split(".", 1)[0], name.rsplit(".", 1)[-1]
        if (first, last) == ("exits", "logit"):
            first = EXIT_GROUP
        if first == "dimension_weighting":
            first = WEIGHTING_GROUP
        if parameter.requires_grad:
            groups[first if first in groups and name not in new else "heads"]["params"].append(parameter)
    if encoder_lr is not None and not groups["encoder"]["params"]:
        raise UserError(f"--encoder_lr {encoder_lr}: nothing of the encoder learns, all is frozen; leave it out")
    return [{"name": name, **group} for name, group in groups.items() if group["params"]]


def _group(lr: float | None, **options: float) -> dict:
    return {"params": [], **options, **({} if lr is None else {"lr": lr})}
