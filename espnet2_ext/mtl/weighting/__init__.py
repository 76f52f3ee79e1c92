"""Loss weightings, by name."""

from collections.abc import Sequence
from typing import Any

from espnet2_ext.mtl.registry import build_by_name
from espnet2_ext.mtl.weighting.abs_weighting import AbsWeighting
from espnet2_ext.mtl.weighting.druw import DynamicRestrainedUncertaintyWeighting
from espnet2_ext.mtl.weighting.dwa import DynamicWeightAverage
from espnet2_ext.mtl.weighting.equal import EqualWeighting
from espnet2_ext.mtl.weighting.rruw import RestrainedUncertaintyWeighting
from espnet2_ext.mtl.weighting.ruw import RevisedUncertaintyWeighting
from espnet2_ext.mtl.weighting.ruwl import RestrainedUncertaintyWeightLoss
from espnet2_ext.mtl.weighting.softmax import SoftmaxWeighting
from espnet2_ext.mtl.weighting.static import StaticWeighting
from espnet2_ext.mtl.weighting.uw import UncertaintyWeighting

WEIGHTINGS: dict[str, type[AbsWeighting]] = {
    "equal": EqualWeighting,
    "static": StaticWeighting,
    "uw": UncertaintyWeighting,
    "ruw": RevisedUncertaintyWeighting,
    "rruw": RestrainedUncertaintyWeighting,
    "dwa": DynamicWeightAverage,
    "druw": DynamicRestrainedUncertaintyWeighting,
    "softmax": SoftmaxWeighting,
    "ruwl": RestrainedUncertaintyWeightLoss,
}


def build_weighting(name: str, task_names: Sequence[str], **conf: Any) -> AbsWeighting:
    """Build the weighting `name` for these tasks with its options.

    Raises:
        UserError: Unknown name or option, or an option out of its range.
    """
    return build_by_name("weighting", WEIGHTINGS, name, conf, task_names)


__all__ = ["WEIGHTINGS", "AbsWeighting", "build_weighting"]
