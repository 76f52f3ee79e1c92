"""A trained model as an ONNX graph: features to reported predictions."""

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.inference.archive import FORMAT, ONNX
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.task_spec import Task

INPUT = "feats"
# Largest difference to torch, absolute and relative to the prediction.
TOLERANCE = 1e-4
# The graph is traced with this many frames or more, so that every pooling layer has what it pools.
_TRACED_FRAMES = 512


class _Predictions(torch.nn.Module):
    """Features (B, T, D), all frames valid -> reported predictions (B, n_outputs), in the order of the tasks."""

    def __init__(self, model: ESPnetMTLModel) -> None:
        super().__init__()
        self.normalize, self.encoder = model.normalize, model.encoder
        # A list: the exporter looks modules up as attributes, and a task may be called `type`, which all modules have.
        self.heads = torch.nn.ModuleList(model.heads[name] for name in model.spec.names)
        self.exits = torch.nn.ModuleList(model.exits[name] for name in model.spec.names)
        self.shared_exit = model.shared_exit
        self.names = model.spec.names
        self.encode, self.head_outputs = model.encode, model.head_outputs

    def forward(self, feats: Tensor) -> tuple[Tensor, ...]:
        encoded = self.encode(feats if self.normalize is None else self.normalize(feats, None))
        outputs = self.head_outputs(encoded)
        return tuple(head.report(outputs[name]) for head, name in zip(self.heads, self.names, strict=True))


def export_onnx(model: ESPnetMTLModel, config: Mapping[str, Any], feature: Mapping[str, Any]) -> bytes:
    """Export a model and compare the graph with it.

    The graph takes `feats` (batch, frames, D) float32, raw features of which all frames are valid, and gives the
    reported predictions by task name: (batch, dimensions) in the task's unit, or (batch, classes) probabilities. Batch
    and frames are dynamic. Its metadata describe tasks, features and crops as JSON.

    Args:
        model: The model, in evaluation mode, on the CPU.
        config: Its configuration, for the size of its input and the crops.
        feature: The features' configuration.

    Raises:
        UserError: The ONNX packages are missing, the model has a part that cannot be exported, or the graph's
            predictions differ from the model's.
    """
    onnxruntime = _import_packages()
    module = _Predictions(model).eval()
    frames = max(_TRACED_FRAMES, config["crop_conf"].get("frames", 0))
    example = torch.zeros(2, frames, config["input_size"])
    dynamic = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module, (example,), dynamo=True, verbose=False, input_names=[INPUT],
                output_names=list(model.spec.names), dynamic_shapes=(dynamic,),
            )  # fmt: skip
    except (RuntimeError, ValueError, TypeError) as error:
        reason = " ".join(str(error.__cause__ or error).split()) or type(error).__name__
        raise UserError(f"the model cannot be exported to ONNX: {reason[:300]}; pack it without --onnx") from error
    least = _least_frames(program)
    _describe(program.model, model, config, feature, least)
    data = program.model_proto.SerializeToString(deterministic=True)
    _compare(onnxruntime, data, model, (1, least, config["input_size"]))
    _compare(onnxruntime, data, model, (3, least + 117, config["input_size"]))
    return data


def describe(data: bytes) -> str:
    """Return the section of the model card about a graph: its input and outputs, in the graph's own words."""
    import onnx

    model = onnx.load_model_from_string(data)
    values = [("input", value) for value in model.graph.input] + [("output", value) for value in model.graph.output]
    lines = [
        "",
        "## ONNX",
        "",
        f"`{ONNX}` (opset {model.opset_import[0].version}) gave the model's predictions to {TOLERANCE} in onnxruntime "
        "when it was packed. Batch and frames are dynamic; crops are the caller's.",
        "",
        "| name | kind | shape, content |",
        "| --- | --- | --- |",
        *(f"| {value.name} | {kind} | {value.doc_string} |" for kind, value in values),
    ]
    return "\n".join(lines) + "\n"


def _import_packages() -> ModuleType:
    try:
        import onnx  # noqa: F401 (the exporter needs it)
        import onnxruntime
        import onnxscript  # noqa: F401 (likewise)
    except ImportError as error:
        raise UserError(f"{error.name} is missing for ONNX; install it: tools/install.sh --extras onnx") from error
    return onnxruntime


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and its remarks, on packages that we do not use too, from the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _least_frames(program: torch.onnx.ONNXProgram) -> int:
    """Return the fewest frames for which the traced graph holds."""
    traced = program.exported_program
    [feats] = [node for node in traced.graph.nodes if node.op == "placeholder" and node.name == INPUT]
    bounds = traced.range_constraints[feats.meta["val"].shape[1].node.expr]
    return int(bounds.lower)


def _describe(
    graph_model: Any, model: ESPnetMTLModel, config: Mapping[str, Any], feature: Mapping[str, Any], least: int
) -> None:
    """Name axes and units, and take out the exporter's remarks on nodes, which hold paths of this machine."""
    graph = graph_model.graph
    for node in graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()
    [feats] = graph.inputs
    feats.doc_string = (
        f"raw features {feature.get('name')} (batch, frames, {config['input_size']}), float32, all frames valid, "
        f"at least {least} frames"
    )
    for value, task in zip(graph.outputs, model.spec, strict=True):
        value.doc_string = f"(batch, {task.n_outputs}): {_meaning(task)} {', '.join(task.labels)}"
    tasks = [
        {"name": t.name, "type": t.type, "labels": list(t.labels), "unit": t.unit, "reports": _meaning(t)}
        for t in model.spec
    ]
    facts = {"tasks": tasks, "feature": dict(feature), "crop": config["crop_conf"], "least_frames": least}
    graph_model.metadata_props.update({name: json.dumps(value) for name, value in facts.items()})
    graph_model.metadata_props["format"] = str(FORMAT)


def _meaning(task: Task) -> str:
    if task.is_classification:
        return "probabilities of"
    return f"values in {task.unit} of" if task.unit else "values of"


def _compare(onnxruntime: ModuleType, data: bytes, model: ESPnetMTLModel, shape: tuple[int, int, int]) -> None:
    feats = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    found = dict(zip(model.spec.names, session.run(None, {INPUT: feats}), strict=True))
    with torch.no_grad():
        wanted = model.report(model.outputs(torch.from_numpy(feats)))
    for name, value in found.items():
        difference = np.abs(value - wanted[name].numpy()).max()
        if not np.allclose(value, wanted[name].numpy(), rtol=TOLERANCE, atol=TOLERANCE):
            raise UserError(
                f"the ONNX graph's {name} differs from the model's by {difference:.1e} at {shape}; "
                "pack it without --onnx"
            )
