"""Balances between the two halves of DRUW."""

from collections.abc import Mapping
from typing import Any

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.registry import build_by_name
from espnet2_ext.mtl.weighting.balance.abs_balance import AbsBalance
from espnet2_ext.mtl.weighting.balance.fixed import FixedBalance
from espnet2_ext.mtl.weighting.balance.learnt import LearntBalance
from espnet2_ext.mtl.weighting.balance.scheduled import ScheduledBalance

BALANCES: dict[str, type[AbsBalance]] = {"scheduled": ScheduledBalance, "learnt": LearntBalance}


def build_balance(option: float | Mapping[str, Any]) -> AbsBalance:
    """Build a balance from its option: a number in [0, 1], or `kind` with the options of that kind.

    Raises:
        UserError: It is neither, or an option is unknown or out of its range.
    """
    if isinstance(option, int | float):
        return FixedBalance(option)
    if not isinstance(option, Mapping) or "kind" not in option:
        raise UserError(f"balance: give a number in [0, 1], or a kind ({', '.join(BALANCES)}) with its options")
    conf = dict(option)
    return build_by_name("balance", BALANCES, conf.pop("kind"), conf)


__all__ = ["BALANCES", "AbsBalance", "LearntBalance", "build_balance"]
