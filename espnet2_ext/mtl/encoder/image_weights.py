"""Weights that torchvision publishes for its residual networks."""

import logging
from pathlib import Path

from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder.audio_visual import AudioVisual
from espnet2_ext.train.checkpoint import load, load_state

# Its layer of ImageNet's classes.
_LEFT_OUT = "fc."


def load_image_weights(encoder: AudioVisual, path: str | Path) -> None:
    """Set the pictures' network to the weights of a file of torchvision, e.g. `resnet50-0676ba61.pth`.

    Args:
        encoder: One with video, of the same network, with `face_conf` of width 64 and norm batch.
        path: The file: entries by name. Its layer of classes is left out.

    Raises:
        UserError: There is no video, or the file is missing, torn, or of another network.
    """
    if encoder.video is None:
        raise UserError("--image_weights: this encoder takes no video; leave it out")
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; give a local file with weights of torchvision")
    content = load(Path(path))
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{path}: holds no weights by name; give a file with weights of torchvision")
    state = {name: value for name, value in content.items() if not name.startswith(_LEFT_OUT)}
    load_state(encoder.video, state, path)
    encoder.pretrained = True
    logging.info(f"{path}: {len(state)} tensors loaded into the pictures' network")
