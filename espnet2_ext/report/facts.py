"""What a result was made with, in words."""

import datetime
from typing import Any

import yaml

from espnet2_ext.report.experiment import Experiment
from espnet2_ext.report.text_table import escape_markdown

# Results are not those of the best epoch; predictions do not tell which weights made them.
DEFAULT_WEIGHTS = "if not told otherwise, the mean of the best epochs' (keep_nbest_models)"


def fact_rows(experiment: Experiment) -> list[tuple[str, str]]:
    """Return what stands at the head of a report: name and value."""
    env, config = experiment.env, experiment.config
    rows = [("Date", _date(env.get("date"))), ("Git", _git(str(env.get("git", "unknown"))))]
    if isinstance(env.get("n_parameters"), int):
        rows.append(("Parameters", f"{env['n_parameters']:,}"))
    rows += [(title, str(config[key])) for title, key in _CONFIG_FACTS if config.get(key) is not None]
    if experiment.valid:
        rows.append(("Epochs", str(max(experiment.valid))))
    return rows


_CONFIG_FACTS = (
    ("Encoder", "encoder"), ("Weighting", "weighting"), ("Weighting of dimensions", "dimension_weighting"),
    ("Seed", "seed"), ("Batch size", "batch_size"),
)  # fmt: skip


def version_rows(experiment: Experiment) -> list[tuple[str, str]]:
    """Return packages and their versions; nothing where they are unknown."""
    return [(str(name), str(version)) for name, version in (experiment.env.get("versions") or {}).items()]


def versions_text(experiment: Experiment) -> str:
    """Return packages and their versions in one line."""
    return ", ".join(f"{name} {version}" for name, version in version_rows(experiment)) or "unknown"


def command(experiment: Experiment) -> str:
    """Return the command that trained the model; empty if unknown."""
    return str(experiment.env.get("command") or "")


def config_text(experiment: Experiment) -> str:
    """Return the configuration as yaml."""
    return yaml.safe_dump(experiment.config, sort_keys=True, allow_unicode=True)


def config_differences(experiments: list[Experiment]) -> list[tuple[str, list[str]]]:
    """Return the options in which experiments differ, and each one's value; paths of files do not count."""
    flat = [_flatten({k: v for k, v in e.config.items() if k not in _PLACES}) for e in experiments]
    keys = dict.fromkeys(key for options in flat for key in options)
    rows = [(key, [options.get(key, "") for options in flat]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


_PLACES = ("output_dir", "config", "log_dir", "dist_init_method", "task_config", "tensorboard_dir")


def _flatten(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        return {
            k: v
            for key, item in value.items()
            for k, v in _flatten(item, f"{prefix}.{key}" if prefix else str(key)).items()
        }
    if isinstance(value, list) and prefix == "task_spec.tasks":
        return {prefix: ", ".join(str(task.get("name")) for task in value)}
    return {prefix: str(value)}


def _date(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return str(value or "unknown").replace("T", " ")[:16]


def _git(revision: str) -> str:
    return f"{revision.removesuffix('-dirty')} (uncommitted changes)" if revision.endswith("-dirty") else revision


def table_facts(experiments: list[Experiment], set_names: str) -> list[tuple[str, str]]:
    """Return what stands above a table of several experiments, as Markdown: each fact once where it is the same."""
    found = [experiment.env for experiment in experiments]
    dates = sorted(_date(env.get("date")) for env in found)
    rows = [
        ("Sets" if " " in set_names else "Set", set_names),
        ("Models", str(len(experiments))),
        ("Date", _span(dates)),
    ]
    rows.append(("Git", ", ".join(dict.fromkeys(_git(str(env.get("git", "unknown"))) for env in found))))
    counts = sorted({env["n_parameters"] for env in found if isinstance(env.get("n_parameters"), int)})
    if counts:
        rows.append(("Parameters", _span([f"{count:,}" for count in counts])))
    versions = [versions_text(experiment) for experiment in experiments]
    rows.append(("Versions", "; ".join(dict.fromkeys(versions))))
    return [(name, escape_markdown(value)) for name, value in rows]


def _span(values: list[str]) -> str:
    return values[0] if values[0] == values[-1] else f"{values[0]} to {values[-1]}"
