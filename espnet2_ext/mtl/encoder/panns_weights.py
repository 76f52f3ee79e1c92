"""Weights that PANNs publishes for CNN10 and CNN14."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder.panns_cnn import PannsCNN
from espnet2_ext.train.checkpoint import load

# PANNs' front end and layer of classes, for which an encoder has no use.
_LEFT_OUT = ("spectrogram_extractor.", "logmel_extractor.", "fc_audioset.")
# Its counter of batches, which weights of old versions of torch lack, and which nothing here reads.
_COUNTER = "num_batches_tracked"
_REMEDIES = (
    ("bin_norm.", "features must have as many bins as the weights"),
    ("", "channels and norm of encoder_conf must be those of the weights"),
)


def load_panns(encoder: PannsCNN, path: str | Path) -> None:
    """Set an encoder's parameters and statistics to those of a file of PANNs (Kong et al., 2020).

    Args:
        encoder: CNN10 or CNN14 with batch normalisation.
        path: A file of PANNs for the same network, e.g. `Cnn14_16k_mAP=0.438.pth`: the entries by name, or a mapping
            that holds them as `model`. Its front end and its layer of classes are left out.

    Raises:
        UserError: The file is missing, torn, or of another network; an entry is missing or of another shape.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; give a local file with weights of PANNs")
    content = load(Path(path))
    content = content.get("model", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{path}: holds no weights by name; give a file with weights of PANNs")
    given = {our_name(name): (name, value) for name, value in content.items() if not name.startswith(_LEFT_OUT)}
    own = {name: value for name, value in encoder.state_dict().items() if not name.endswith(_COUNTER)}
    _check(own, given, type(encoder).__name__, path)
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(given[name][1])
    logging.info(f"{path}: {len(own)} tensors of PANNs loaded into the encoder")


def our_name(name: str) -> str:
    """Return our name of an entry of PANNs: conv_block2.bn1.weight is blocks.1.norm1.weight."""
    name = re.sub(r"^conv_block(\d+)\.", lambda match: f"blocks.{int(match[1]) - 1}.", name)
    name = re.sub(r"^(blocks\.\d+\.)bn", r"\1norm", name)
    return re.sub(r"^fc1\.", "exit_layer.linear.", re.sub(r"^bn0\.", "bin_norm.", name))


def _check(own: Mapping[str, Tensor], given: Mapping[str, tuple[str, Tensor]], kind: str, path: str | Path) -> None:
    """Refuse weights that do not fit, in one line."""
    missing = [name for name in own if name not in given]
    unknown = [theirs for name, (theirs, _) in given.items() if name not in own and not name.endswith(_COUNTER)]
    if missing or unknown:
        what = f"lacks {missing[0]}" if missing else f"holds {unknown[0]}"
        count = len(missing) + len(unknown)
        raise UserError(
            f"{path}: not the weights of a {kind} with these options: it {what} ({count} such entries); choose the "
            "encoder that the file is of, with norm: batch"
        )
    for name, value in own.items():
        theirs, tensor = given[name]
        if tensor.shape != value.shape:
            remedy = next(text for start, text in _REMEDIES if name.startswith(start))
            raise UserError(
                f"{path}: {theirs} is {tuple(tensor.shape)}, {name} of the encoder {tuple(value.shape)}: {remedy}"
            )
