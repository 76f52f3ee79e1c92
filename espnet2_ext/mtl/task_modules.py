"""Modules by task name."""

import torch


class TaskModules(torch.nn.ModuleDict):
    """Modules by task name; a task may be called as a method of torch.nn.Module is, such as `type`."""

    def __setitem__(self, key: str, module: torch.nn.Module) -> None:
        self._modules[key] = module
