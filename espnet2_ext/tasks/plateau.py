"""Schedule by plateaus: which way a criterion gains."""

import argparse

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.task_spec import LOWER_IS_BETTER, TaskSpec

SCHEDULERS = ("reducelronplateau", "warmupreducelronplateau")


def check_plateau(args: argparse.Namespace, spec: TaskSpec) -> None:
    """Set the mode of a schedule by plateaus by its criterion, where none is given.

    Torch's and ESPnet's default is min: the rate of a training that gains would fall.

    Raises:
        UserError: The mode that is given is the wrong one.
    """
    if args.scheduler not in SCHEDULERS:
        return
    name = args.val_scheduler_criterion[1]
    lower = {f"loss_{task}" for task in spec.names}
    lower |= {f"{task}_{metric}" for task in spec.names for metric in LOWER_IS_BETTER}
    mode = "min" if name in lower else "max"
    given = args.scheduler_conf.setdefault("mode", mode)
    if given != mode:
        raise UserError(f"scheduler_conf: mode {given}: {name} gains towards its {mode}; set mode: {mode}")
