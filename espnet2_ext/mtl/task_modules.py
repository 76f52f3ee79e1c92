"""Modules by task name."""

from collections.abc import ItemsView, Iterator, Mapping

import torch


class TaskModules(torch.nn.Module):
    """A dictionary of modules under any task name; states are keyed `<task>.<parameter>`.

    torch.nn.ModuleDict refuses names that torch.nn.Module uses itself, `type` and `half` among them. Modules are
    reached by item here, never by attribute, so such a name hides nothing.

    Args:
        modules: Modules by task name.
    """

    def __init__(self, modules: Mapping[str, torch.nn.Module]) -> None:
        super().__init__()
        self._modules.update(modules)

    def __getitem__(self, name: str) -> torch.nn.Module:
        return self._modules[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def items(self) -> ItemsView[str, torch.nn.Module]:
        """Return names and modules in order."""
        return self._modules.items()
