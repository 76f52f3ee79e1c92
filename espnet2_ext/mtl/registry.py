"""Build a class by its name and options, with a clear line for a name or an option that does not exist."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from espnet2_ext.errors import UserError

T = TypeVar("T")


def build_by_name(
    kind: str, classes: Mapping[str, Callable[..., T]], name: str, conf: Mapping[str, Any], *args: Any
) -> T:
    """Call `classes[name](*args, **conf)` after checking both the name and the option names.

    Args:
        kind: What is built, for the message ("loss", "weighting").
        classes: Classes by name. Their constructors name every option (no `**kwargs`).
        name: The name to build.
        conf: Options by name, as they come from a configuration file.
        *args: Leading positional arguments of the constructor, which are no options.

    Returns:
        The object built.

    Raises:
        UserError: The name or an option is unknown, or an option without a default is missing.
    """
    if name not in classes:
        raise UserError(f"{kind}: no such {kind}: {name}; use one of {', '.join(classes)}")
    # A class without a constructor of its own has torch's (*args, **kwargs), which are no options.
    parameters = [
        p
        for p in inspect.signature(classes[name]).parameters.values()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    parameters = parameters[len(args) :]
    known = [parameter.name for parameter in parameters]
    unknown = sorted(str(option) for option in set(conf) - set(known))
    if unknown:
        options = ", ".join(known) if known else "none"
        raise UserError(f"{kind} {name}: no such option: {', '.join(unknown)}; its options are: {options}")
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in conf]
    if missing:
        raise UserError(f"{kind} {name}: set the option {', '.join(missing)}")
    return classes[name](*args, **conf)
