"""The redundancy reduction twins network: one network on two views of each batch."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from espnet2_ext.data.augment.spec_augment import MEAN
from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import AbsEncoder
from espnet2_ext.mtl.encoder.conv_block import frame_mask
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.loss import barlow_twins_loss
from espnet2_ext.mtl.projector import Projector
from espnet2_ext.mtl.task_losses import BatchLosses
from espnet2_ext.mtl.task_spec import TaskSpec
from espnet2_ext.mtl.twins_options import BARLOW_TWINS, TWIN_MASKS, TwinsOptions, twin_name
from espnet2_ext.mtl.weighting import AbsWeighting

# Projections of the views, gathered with the outputs; no task can be called so.
_PROJECTIONS = ("projection 1", "projection 2")


class TwinsMTLModel(ESPnetMTLModel):
    """Multi-task model that is trained on a clean and a masked view of each batch, and used on the clean one.

    Source: Jing et al., "Redundancy Reduction Twins Network", 2022, equations 2 to 4. Encoder and heads are shared. The
    weighting combines the tasks' losses on the clean view (by task name), those on the masked view (`<task>_twin`), and
    the Barlow Twins loss between projections of the last exit's embeddings (`barlow_twins`), which takes all rows, with
    labels or without. The views go through the encoder one after the other, as in the source of the loss, so each has
    batch statistics of its own; the masked one first. The paper has one task; here every task has both losses.

    Deviations from the paper's SpecAugment (torchlibrosa's): widths are uniform up to and with the largest, masks are
    filled with what `spec_augment.fill` says, after normalisation, and end with the valid frames.

    Args:
        spec: The tasks.
        encoder: Gives an embedding per exit.
        weighting: Combines the losses `twins.loss_names`.
        normalize: Feature normalisation, or None.
        twins: Projector, Barlow Twins loss and masks.
        **conf: As `ESPnetMTLModel`.

    Raises:
        UserError: The pooling is one of frames.
    """

    def __init__(
        self,
        spec: TaskSpec,
        encoder: AbsEncoder,
        weighting: AbsWeighting,
        normalize: torch.nn.Module | None,
        twins: TwinsOptions,
        **conf: Any,
    ) -> None:
        super().__init__(spec, encoder, weighting, normalize, **conf)
        if self.takes_frames:
            raise UserError("exit_conf: twins have pooling mean only, since their loss takes the encoder's embeddings")
        self.twins = twins
        self.projector = Projector(encoder.output_size(encoder.exits[-1]), twins.projector)

    def batch_losses(self, feats: Tensor, feats_lengths: Tensor | None, batch: Mapping[str, Tensor]) -> BatchLosses:
        """Losses of both views and between them; of the clean one only in evaluation. See the base class.

        Args:
            feats: (B, T, D).
            feats_lengths: (B,) valid frames, or None when all are.
            batch: Targets, and `twin_masks` (B, M, 2) while training.
        """
        names = self.twins.loss_names(self.spec.names)
        if not self.training:
            losses, present, rows, _ = super().batch_losses(feats, feats_lengths, batch)
            nothing = next(iter(losses.values())).new_zeros(())
            present = torch.cat([present, present.new_zeros(len(names) - len(losses))])
            return BatchLosses({name: losses.get(name, nothing) for name in names}, present, rows, {})
        feats = self.normalised(feats, feats_lengths)
        masked = self.encoder(self.masked_view(feats, feats_lengths, batch[TWIN_MASKS]), feats_lengths)
        clean = self.encoder(feats, feats_lengths)
        outputs = self.head_outputs(clean, batch)
        outputs |= {twin_name(name): output for name, output in self.head_outputs(masked, batch).items()}
        last = self.encoder.exits[-1]
        outputs |= dict(zip(_PROJECTIONS, (self.projector(clean[last]), self.projector(masked[last])), strict=True))
        outputs, targets = self.gather(outputs, batch)
        losses, present = self.task_losses(outputs, targets)
        twin_outputs = {name: outputs[twin_name(name)] for name in self.spec.names}
        twin_losses, _ = self.task_losses(twin_outputs, targets)
        losses |= {twin_name(name): loss for name, loss in twin_losses.items()}
        one, two = (outputs[name] for name in _PROJECTIONS)
        losses[BARLOW_TWINS] = barlow_twins_loss(one, two, self.twins.off_diagonal_weight)
        return BatchLosses(losses, torch.cat([present, present, present.new_ones(1)]), one.size(0), {})

    def masked_view(self, feats: Tensor, lengths: Tensor | None, masks: Tensor) -> Tensor:
        """Fill the masked frames and bins.

        Args:
            feats: (B, T, D) normalised features, 0 past the length.
            lengths: (B,) valid frames, or None when all are.
            masks: (B, M, 2) int64: start and stop of each mask, those in time first.

        Returns:
            (B, T, D), 0 past the length.
        """
        options = self.twins.spec_augment
        in_time, in_bins = masks.split([options.n_time_masks, options.n_freq_masks], dim=1)
        hidden = _covered(in_time, feats.size(1)).unsqueeze(2) | _covered(in_bins, feats.size(2)).unsqueeze(1)
        filling = torch.zeros_like(feats[:, :1])
        if options.fill == MEAN:
            frames = feats.size(1) if lengths is None else lengths[:, None, None]
            filling = feats.sum(dim=1, keepdim=True) / frames
        if lengths is not None:
            hidden = hidden & frame_mask(lengths, feats.size(1)).unsqueeze(2)
        return torch.where(hidden, filling, feats)


def _covered(masks: Tensor, size: int) -> Tensor:
    """(B, M, 2) starts and stops -> (B, size) bool, true where one covers a place."""
    places = torch.arange(size, device=masks.device)
    return ((places >= masks[:, :, :1]) & (places < masks[:, :, 1:])).any(dim=1)
