"""Whole-set evaluation: every utterance once, the same numbers for any number of ranks."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
import torch.distributed as dist

from espnet2_ext.data.dataset import Batch
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.gather import is_distributed
from espnet2_ext.mtl.metric.corpus import evaluate
from espnet2_ext.mtl.streams import streams_of

Arrays = dict[str, np.ndarray]


@torch.no_grad()
def run_model(
    model: ESPnetMTLModel, batches: Iterable[Batch], device: str, autocast: torch.autocast
) -> tuple[list[str], Arrays, Arrays]:
    """Run the model in evaluation mode over this rank's batches.

    Returns:
        Utterance ids (N), raw outputs (N, n_outputs) and targets by task.
    """
    model.eval()
    utts: list[str] = []
    outputs: dict[str, list[np.ndarray]] = {name: [] for name in model.spec.names}
    targets: dict[str, list[np.ndarray]] = {name: [] for name in model.spec.names}
    for utt_ids, batch in batches:
        feats = batch["feats"].to(device, non_blocking=True)
        lengths = batch.get("feats_lengths")
        streams = streams_of(model.encoder, batch, device)
        with autocast:
            output = model.outputs(feats, None if lengths is None else lengths.to(device), streams=streams)
        utts += utt_ids
        for name in outputs:
            value = output[name]
            value = value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
            outputs[name].append(value.cpu().numpy())
            targets[name].append(batch[name].numpy())
    return utts, _concatenate(outputs), _concatenate(targets)


def gather_sets(utts: list[str], outputs: Arrays, targets: Arrays) -> tuple[list[str], Arrays, Arrays]:
    """Collect the parts of all ranks on every rank, in the order of utterance ids."""
    parts = [(utts, outputs, targets)]
    if is_distributed():
        parts = [None] * dist.get_world_size()
        dist.all_gather_object(parts, (utts, outputs, targets))
    parts = [part for part in parts if part[0]]
    everyone = [utt for part in parts for utt in part[0]]
    order = sorted(range(len(everyone)), key=everyone.__getitem__)
    merged = [{name: np.concatenate([part[i][name] for part in parts])[order] for name in outputs} for i in (1, 2)]
    return [everyone[i] for i in order], merged[0], merged[1]


@torch.no_grad()
def evaluate_model(
    model: ESPnetMTLModel, batches: Iterable[Batch], device: str, autocast: torch.autocast
) -> dict[str, float]:
    """Metrics of the whole set, the score (also as `score`) and each task's unweighted loss (`loss_<task>`).

    Raises:
        UserError: A prediction is not finite.
    """
    _, outputs, targets = gather_sets(*run_model(model, batches, device, autocast))
    raw = {name: torch.from_numpy(value).to(device) for name, value in outputs.items()}
    predictions = {name: value.cpu().numpy() for name, value in model.report(raw).items()}
    try:
        metrics = evaluate(model.spec, predictions, targets)
    except ValueError as error:
        raise UserError(f"validation: {error}; training has diverged, lower the learning rate") from error
    metrics["score"] = metrics[model.spec.score.name]
    losses, present = model.task_losses(raw, {name: torch.from_numpy(t).to(device) for name, t in targets.items()})
    for name, labelled in zip(model.spec.names, present.tolist(), strict=True):
        metrics[f"loss_{name}"] = float(losses[name]) if labelled else float("nan")
    return metrics


def _concatenate(parts: Mapping[str, list[np.ndarray]]) -> Arrays:
    return {name: np.concatenate(arrays) if arrays else np.empty(0) for name, arrays in parts.items()}
