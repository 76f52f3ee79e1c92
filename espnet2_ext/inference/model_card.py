"""The README.md of a packed model."""

import json
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.task_spec import Task


def model_card(exp: Path, model: ESPnetMTLModel) -> str:
    """Describe a model in Markdown: tasks with their outputs in order, features, results, origin.

    Args:
        exp: The experiment's directory; env.yaml and predict_<set>/score.json are used where they are.
        model: The model.
    """
    feature = yaml.safe_load((exp / "feature.yaml").read_text(encoding="utf-8"))
    lines = [
        f"# {exp.name}",
        "",
        "Multi-task recognition of vocal expression; use it with `MTLInference.from_pretrained` of espnet2_ext.",
        "",
        "| task | kind | outputs, in order | unit |",
        "| --- | --- | --- | --- |",
        *(_task_row(task) for task in model.spec),
        "",
        f"Features: {', '.join(f'{name} {value}' for name, value in feature.items())}.",
        f"Parameters: {sum(p.numel() for p in model.parameters()):,}.",
    ]
    for path in sorted(exp.glob("predict_*/score.json")):
        lines += ["", f"## Results on {path.parent.name.removeprefix('predict_')}", "", *_score_rows(path)]
    if (exp / "env.yaml").exists():
        facts = yaml.safe_load((exp / "env.yaml").read_text(encoding="utf-8"))
        versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        lines += ["", "## Origin", "", f"Trained {facts['date']}, revision {facts['git']}; {versions}."]
    return "\n".join(lines) + "\n"


def _task_row(task: Task) -> str:
    kind = f"{task.type}, probabilities" if task.is_classification else task.type
    return f"| {task.name} | {kind} | {', '.join(task.labels)} | {task.unit or '-'} |"


def _score_rows(path: Path) -> list[str]:
    score: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    values = {name: entry["value"] for name, entry in score["metrics"].items()}
    values[score["score"]["name"]] = score["score"]["value"]
    return [
        "| metric | value |",
        "| --- | --- |",
        *(f"| {name} | {'-' if value is None else f'{value:.4f}'} |" for name, value in values.items()),
    ]
