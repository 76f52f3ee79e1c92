"""Feature normalisation inside the model."""

import torch

from espnet2_ext.mtl.normalize.global_mvn import GlobalMVN
from espnet2_ext.mtl.normalize.utterance_mvn import UtteranceMVN

NORMALIZERS: dict[str, type[torch.nn.Module]] = {"global_mvn": GlobalMVN, "utterance_mvn": UtteranceMVN}

__all__ = ["NORMALIZERS", "GlobalMVN", "UtteranceMVN"]
