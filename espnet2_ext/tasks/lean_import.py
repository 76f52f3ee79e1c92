"""Importing ESPnet's trainer without the parts of it that this task has no use for."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NoReturn

# What ESPnet imports at its start for options that are refused here: adapters bring transformers with them, attention
# plots the text-to-speech models. Together they are half of the seconds that a training takes to start.
UNUSED = ("espnet2.layers.create_adapter", "espnet2.main_funcs.calculate_all_attentions")


@contextmanager
def lean_import() -> Iterator[None]:
    """Leave these modules out of what is imported in the block; later imports of them get the modules themselves."""
    placeholders = {name: _placeholder(name) for name in UNUSED if name not in sys.modules}
    sys.modules.update(placeholders)
    try:
        yield
    finally:
        for name, module in placeholders.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _placeholder(name: str) -> ModuleType:
    """Return a module with the one function that is imported from it, which is called as the module and cannot run."""

    def refuse(*_args: object, **_options: object) -> NoReturn:
        raise RuntimeError(f"{name} was left out of this process; see espnet2_ext.tasks.lean_import")

    module = ModuleType(name)
    setattr(module, name.rpartition(".")[2], refuse)
    return module
