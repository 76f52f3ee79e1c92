"""The README.md of a packed model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.task_spec import Task
from espnet2_ext.report.naming import size_of
from espnet2_ext.report.text_table import escape_markdown


def model_card(
    exp: Path, model: ESPnetMTLModel, config: Mapping[str, Any], feature: Mapping[str, Any], pack_format: int
) -> str:
    """Describe a model in Markdown: use, tasks with their outputs in order, features, data, results, origin.

    Args:
        exp: The experiment's directory; env.yaml and predict_<set>/score.json are used where they are, and the
            statistics of the training labels that its configuration names.
        model: The model.
        config: Its configuration.
        feature: The features' configuration, with `sample_rate` in Hz.
        pack_format: Version of the pack's format.

    Raises:
        UserError: A file of the experiment is torn.
    """
    rate = feature.get("sample_rate", "?")
    lines = [
        f"# {exp.resolve().name}",
        "",
        "Multi-task recognition of vocal expression from mono waves; others are mixed down and resampled.",
        "",
        "```python",
        "from espnet2_ext.inference import MTLInference",
        "",
        'predict = MTLInference.from_pretrained("this_file.zip")  # or the unpacked folder',
        f"record = predict(wave, {rate})",
        "```",
        "",
        "## Tasks",
        "",
        "| task | kind | outputs, in order | unit |",
        "| --- | --- | --- | --- |",
        *(_task_row(task) for task in model.spec),
        "",
        "## Input",
        "",
        f"- Sample rate: {rate} Hz",
        f"- Features: {', '.join(f'{name} {value}' for name, value in feature.items())}",
        f"- Crops: {', '.join(f'{name} {value}' for name, value in config['crop_conf'].items())}",
        *_streams(model),
        f"- Parameters: {sum(p.numel() for p in model.parameters()):,}",
        f"- Pack format: {pack_format}",
        *_data(exp, config, model),
    ]
    for path in sorted(exp.glob("predict_*/score.json")):
        lines += ["", f"## Results on {path.parent.name.removeprefix('predict_')}", "", *_score_rows(path)]
    if (exp / "env.yaml").exists():
        lines += ["", "## Origin", "", _origin(exp / "env.yaml")]
    return "\n".join(lines) + "\n"


def _task_row(task: Task) -> str:
    kind = f"{task.type}, probabilities" if task.is_classification else task.type
    cells = (task.name, kind, ", ".join(task.labels), task.unit or "-")
    return f"| {' | '.join(map(escape_markdown, cells))} |"


def _streams(model: ESPnetMTLModel) -> list[str]:
    """What else the model was trained with."""
    if not model.encoder.streams:
        return []
    use = "here audio is used alone" if model.encoder.hears else "without audio, so it predicts no waves"
    return [f"- Trained with {', '.join(model.encoder.streams)}: {use}"]


def _data(exp: Path, config: Mapping[str, Any], model: ESPnetMTLModel) -> list[str]:
    """Names of recipe and sets, and the number of training labels; no paths."""
    parts = exp.resolve().parts
    recipe = f" of recipe `{parts[parts.index('egs') + 1]}`" if "egs" in parts[:-2] else ""
    sets = {kind: Path(config[f"{kind}_dir"]).name for kind in ("train", "valid") if config.get(f"{kind}_dir")}
    if not sets:
        return []
    lines = ["", "## Data", ""]
    if "train" in sets:
        lines.append(f"- Trained on set `{sets['train']}`{recipe}")
    if "valid" in sets:
        lines.append(f"- Selected on set `{sets['valid']}`{recipe} by {model.spec.score.name}")
    stats = _recipe_root(exp, config) / (config.get("task_stats") or "-")
    if stats.is_file():
        counts = _parse(stats)
        labelled = [f"{t.name} {counts[t.name]['labelled']}" for t in model.spec if t.name in counts]
        lines.append(f"- Labelled training utterances: {', '.join(labelled)}")
    return lines


def _recipe_root(exp: Path, config: Mapping[str, Any]) -> Path:
    """Return the folder that the configuration's paths are relative to."""
    parts, tail = exp.resolve().parts, Path(config.get("output_dir") or "-").parts
    return Path(*parts[: -len(tail)]) if parts[-len(tail) :] == tail else exp


def _score_rows(path: Path) -> list[str]:
    score = _parse(path)
    entries = {**score["metrics"], score["score"]["name"]: score["score"]}
    lines = []
    if "n_utterances" in score:
        lines = [f"{size_of(score)}.", ""]
    return [*lines, "| metric | value | 95 % interval |", "| --- | --- | --- |", *map(_score_row, entries.items())]


def _score_row(item: tuple[str, Mapping[str, Any]]) -> str:
    name, entry = item
    value, interval = entry["value"], entry.get("interval")
    low_high = f"{interval[0]:.4f} to {interval[1]:.4f}" if interval and None not in interval else "-"
    return f"| {name} | {'-' if value is None else f'{value:.4f}'} | {low_high} |"


def _origin(path: Path) -> str:
    facts = _parse(path)
    versions = ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items())
    return f"Trained {facts.get('date')}, revision {facts.get('git')}; {versions}."


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())}); run its stage again") from error
    if not isinstance(data, dict):
        raise UserError(f"{path}: holds no mapping; run its stage again")
    return data
