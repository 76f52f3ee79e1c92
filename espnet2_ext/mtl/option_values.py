"""Checks of single values of options."""

import math
from collections.abc import Sequence
from typing import Any

from espnet2_ext.errors import UserError


def finite_number(option: str, value: Any, above: float = -math.inf) -> float:
    """Return an option as a finite float greater than `above`.

    Raises:
        UserError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{option}: must be a number, not {value!r}")
    if value <= above:
        raise UserError(f"{option}: must be greater than {above:g}, not {value:g}")
    return float(value)


def fraction(option: str, value: Any) -> float:
    """Return an option as a number in [0, 1].

    Raises:
        UserError: It is none.
    """
    number = finite_number(option, value)
    if not 0.0 <= number <= 1.0:
        raise UserError(f"{option}: must lie in [0, 1], not {number:g}")
    return number


def whole_number(option: str, value: Any, least: int) -> int:
    """Return an option that is a whole number of `least` or more.

    Raises:
        UserError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(f"{option}: must be a whole number of at least {least}, not {value!r}")
    return value


def one_of(option: str, value: Any, choices: Sequence[str]) -> str:
    """Return an option that must be one of `choices`.

    Raises:
        UserError: It is none of them.
    """
    if value not in choices:
        raise UserError(f"{option}: must be one of {', '.join(choices)}, not {value!r}")
    return value
