"""ESPnet's reporter, fed by intervals of steps instead of single steps."""

import datetime
import math
from collections.abc import Callable, Mapping
from typing import Any

from espnet2.train.reporter import Reporter, SubReporter, WeightedAverage


class MTLReporter(Reporter):
    """Reporter whose state is plain data, so a checkpoint loads without running any code."""

    def state_dict(self) -> dict[str, Any]:
        """Epoch and statistics as numbers and strings; wall times in seconds."""
        return {"epoch": self.epoch, "stats": _convert(self.stats, _to_plain)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.epoch = state_dict["epoch"]
        self.stats = _convert(state_dict["stats"], _from_plain)

    def best_epochs(self, phase: str, name: str, mode: str, last: int | None = None) -> list[int]:
        """Epochs that have the value, up to `last` if given, best first; of equals the earliest; NaN last."""
        values = {epoch: stats[phase][name] for epoch, stats in self.stats.items() if name in stats.get(phase, {})}
        values = {epoch: value for epoch, value in values.items() if last is None or epoch <= last}
        sign = -1.0 if mode == "max" else 1.0
        return sorted(values, key=lambda epoch: (math.isnan(values[epoch]), sign * values[epoch], epoch))


def register_interval(reporter: SubReporter, means: Mapping[str, tuple[float, float]], n_steps: int) -> None:
    """Enter an interval of `n_steps` steps into ESPnet's reporter as one entry.

    `SubReporter.register` checks every value's type at run time (0.2 ms each), so its lists are filled directly.

    Args:
        reporter: ESPnet's reporter of a phase.
        means: (mean, weight) by name.
        n_steps: Steps in the interval; the reporter's total count goes up by them.
    """
    reporter.total_count += n_steps
    reporter.count += 1
    for name, (mean, weight) in means.items():
        values = reporter.stats[name]
        missing = reporter.count - 1 - len(values)
        values.extend([WeightedAverage(float("nan"), 0.0)] * missing)
        values.append(WeightedAverage(mean, weight))
        reporter._seen_keys_in_the_step.add(name)
    reporter.next()


def _to_plain(name: str, value: Any) -> Any:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return int(value) if name == "total_count" else float(value)


def _from_plain(name: str, value: Any) -> Any:
    return datetime.timedelta(seconds=value) if name == "time" else value


def _convert(stats: Mapping[int, Mapping[str, Mapping[str, Any]]], convert: Callable[[str, Any], Any]) -> dict:
    return {
        epoch: {phase: {k: convert(k, v) for k, v in values.items()} for phase, values in phases.items()}
        for epoch, phases in stats.items()
    }
