"""Equal weighting (EW)."""

import torch

from espnet2_ext.mtl.weighting.abs_weighting import AbsWeighting


class EqualWeighting(AbsWeighting):
    """The sum of the losses: every weight is 1, the baseline of all papers."""

    def combine(
        self,
        losses: torch.Tensor,
        present: torch.Tensor | None,  # noqa: ARG002 (absent tasks change no weight here)
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Weigh the losses (K,); see `AbsWeighting.combine`."""
        return losses.sum(), torch.ones_like(losses)
