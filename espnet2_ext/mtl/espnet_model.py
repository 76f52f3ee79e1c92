"""The ESPnet model: encoder, heads, losses and their weighting."""

from collections.abc import Mapping
from typing import Any

import torch
from espnet2.train.abs_espnet_model import AbsESPnetModel
from torch import Tensor

from espnet2_ext.mtl.encoder import AbsEncoder
from espnet2_ext.mtl.encoder.conv_block import frame_mask
from espnet2_ext.mtl.exit import AbsPooling, MeanPooling
from espnet2_ext.mtl.gather import gather_batch, is_distributed
from espnet2_ext.mtl.head import HEADS
from espnet2_ext.mtl.loss import build_loss
from espnet2_ext.mtl.registry import build_by_name
from espnet2_ext.mtl.streams import Streams, streams_of
from espnet2_ext.mtl.task_losses import (
    BatchLosses,
    DimensionLosses,
    at_least_float32,
    dimension_losses,
    loss_stats,
    mean_losses,
)
from espnet2_ext.mtl.task_modules import TaskModules
from espnet2_ext.mtl.task_spec import TaskSpec
from espnet2_ext.mtl.weighting import AbsWeighting
from espnet2_ext.mtl.weighting.dimension_weighting import DimensionWeighting

Tensors = Mapping[str, Tensor]


class ESPnetMTLModel(AbsESPnetModel):
    """Multi-task model over fixed-size or padded feature batches.

    Under torch.distributed the training loss is that of the global batch, the same number on every rank: outputs and
    targets of all ranks are gathered, outputs with gradient.

    Args:
        spec: The tasks.
        encoder: Gives an embedding per exit.
        weighting: Combines the tasks' losses.
        normalize: Feature normalisation, or None.
        dimension_weighting: Combines the losses of tasks' dimensions, before `weighting`; None for their means.
        heads: Name of the heads: `parallel` or `chain`.
        head_conf: Their options; see the classes.
        pooling: How tasks come from the encoder to their embeddings; default: by its own.
        channels_last: Whether convolutions run in the channels-last memory format (faster on CPUs and GPUs).
        compile_encoder: Whether torch.compile compiles the encoder (a first step of a minute or two).
        equal_rows: Whether all ranks have the same number of rows in every training step, as our sampler sees to;
            otherwise each step asks all ranks for theirs.
    """

    def __init__(
        self,
        spec: TaskSpec,
        encoder: AbsEncoder,
        weighting: AbsWeighting,
        normalize: torch.nn.Module | None = None,
        dimension_weighting: DimensionWeighting | None = None,
        heads: str = "parallel",
        head_conf: Mapping[str, Any] | None = None,
        pooling: AbsPooling | None = None,
        channels_last: bool = True,
        compile_encoder: bool = False,
        equal_rows: bool = True,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.normalize = normalize
        self.encoder = encoder
        pooling = MeanPooling() if pooling is None else pooling
        self.takes_frames = pooling.takes_frames
        self.shared_exit, exits = pooling.build(spec.tasks, encoder)
        self.exits = TaskModules(exits)
        sizes = {name: exit_layer.output_size for name, exit_layer in self.exits.items()}
        self.heads = build_by_name("heads", HEADS, heads, head_conf or {}, spec.tasks, sizes)
        self.losses = TaskModules({task.name: build_loss(task.loss, **task.loss_conf) for task in spec})
        self.weighting, self.dimension_weighting = weighting, dimension_weighting
        self.equal_rows = equal_rows
        if channels_last:
            encoder.to(memory_format=torch.channels_last)
        if compile_encoder:
            encoder.compile()

    def forward(
        self, feats: Tensor, feats_lengths: Tensor | None = None, **batch: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Compute the weighted loss.

        Args:
            feats: (B, T, D).
            feats_lengths: (B,) valid frames, or None when all are.
            batch: Targets by task name: (B, D) in the task's unit, NaN where missing; classes (B,), -1 where missing,
                or probabilities of the classes (B, C), NaN where missing. And the encoder's further streams.

        Returns:
            The weighted loss; statistics by name (detached scalars, NaN for a task without a label); the number of
            rows they stand for (B of all ranks while training).
        """
        losses, present, rows, by_dimension = self.batch_losses(feats, feats_lengths, batch)
        of_dimensions = {}
        if self.dimension_weighting is None:
            loss, weights = self.weighting(losses, present)
        else:
            combined, of_dimensions = self.dimension_weighting(losses, by_dimension)
            loss, weights = self.weighting(combined, present, losses)
        stats = {"loss": loss.detach(), **loss_stats(losses, weights, present), **of_dimensions}
        stats.update(self.weighting.stats() | self.heads.stats())
        for name, exit_layer in self.exits.items():
            stats.update(exit_layer.stats(name))
        return loss, stats, torch.tensor(float(rows))

    def batch_losses(self, feats: Tensor, feats_lengths: Tensor | None, batch: Mapping[str, Tensor]) -> BatchLosses:
        """Compute what the weightings combine, of the global batch while training; arguments as `forward`."""
        fed, streams = batch if self.training else None, streams_of(self.encoder, batch)
        outputs, targets = self.gather(self.outputs(feats, feats_lengths, fed, streams), batch)
        by_dimension = self.dimension_losses(outputs, targets)
        return BatchLosses(*mean_losses(by_dimension), next(iter(outputs.values())).size(0), by_dimension)

    def outputs(
        self,
        feats: Tensor,
        feats_lengths: Tensor | None = None,
        targets: Tensors | None = None,
        streams: Streams | None = None,
    ) -> dict[str, Tensor]:
        """(B, T, D) features, and streams -> raw outputs (B, n_outputs) by task: logits, or regression outputs.

        Targets by task, as `forward` takes them, go to heads that feed on labels while training.
        """
        return self.head_outputs(self.encode(self.normalised(feats, feats_lengths), feats_lengths, streams), targets)

    def normalised(self, feats: Tensor, feats_lengths: Tensor | None = None) -> Tensor:
        """(B, T, D) features as they come -> what the encoder takes: normalised, 0 past the length."""
        feats = feats.to(next(self.parameters()).dtype)
        if self.normalize is not None:
            feats = self.normalize(feats, feats_lengths)
        if feats_lengths is not None:
            feats = feats * frame_mask(feats_lengths, feats.size(1)).unsqueeze(2)
        return feats

    def encode(self, feats: Tensor, lengths: Tensor | None = None, streams: Streams | None = None) -> dict[int, Any]:
        """(B, T, D) normalised features -> what the exits take: embeddings by exit, or `Frames` by layer."""
        encode = self.encoder.frames if self.takes_frames else self.encoder
        more = (streams or {},) if self.encoder.streams else ()
        return self.shared_exit(encode(feats, lengths, *more))

    def head_outputs(self, encoded: Mapping[int, Any], targets: Tensors | None = None) -> dict[str, Tensor]:
        """What `encode` gave -> raw outputs (B, n_outputs) by task; targets as `outputs`."""
        return self.heads({name: leave(encoded) for name, leave in self.exits.items()}, targets)

    def task_losses(self, outputs: Tensors, targets: Tensors) -> tuple[dict[str, Tensor], Tensor]:
        """Each task's unweighted loss (mean over its labelled dimensions), and which tasks have a label (K,)."""
        return mean_losses(self.dimension_losses(outputs, targets))

    def dimension_losses(self, outputs: Tensors, targets: Tensors) -> dict[str, DimensionLosses]:
        """Each task's unweighted losses by dimension."""
        return {
            task.name: dimension_losses(
                task, self.losses[task.name], self.heads[task.name], outputs[task.name], targets[task.name]
            )
            for task in self.spec
        }

    def report(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Raw outputs -> predictions by task: in the task's unit, or class probabilities."""
        return {name: self.heads[name].report(at_least_float32(output)) for name, output in outputs.items()}

    def collect_feats(self, feats: Tensor, feats_lengths: Tensor | None = None, **_: Tensor) -> dict[str, Tensor]:
        """Features as they come (ESPnet's interface)."""
        return {"feats": feats} if feats_lengths is None else {"feats": feats, "feats_lengths": feats_lengths}

    def gather(self, outputs: dict[str, Tensor], batch: Tensors) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return outputs (B, D), by any names, and the tasks' targets; those of all ranks while training."""
        targets = {task.name: batch[task.name] for task in self.spec}
        if not (self.training and is_distributed()):
            return outputs, targets
        return gather_batch(outputs, targets, self.equal_rows)
