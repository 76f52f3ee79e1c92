"""The device that a user asks for."""

import torch

from espnet2_ext.errors import UserError


def check_device(name: str) -> str:
    """Return `name` (cpu, cuda, cuda:1, ...) if tensors can be put there; `auto` is cuda where there is one, else cpu.

    Raises:
        UserError: There is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, ValueError) as error:
        # AssertionError: how a torch without CUDA says so.
        raise UserError(f"--device {name}: cannot be used here ({str(error).splitlines()[0]}); use cpu") from error
    return name
