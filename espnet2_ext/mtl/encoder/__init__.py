"""Encoders: features to one embedding per exit."""

from espnet2_ext.mtl.encoder.abs_encoder import AbsEncoder
from espnet2_ext.mtl.encoder.abs_frame_encoder import AbsFrameEncoder
from espnet2_ext.mtl.encoder.audio_visual import AudioVisual
from espnet2_ext.mtl.encoder.emo18 import Emo18
from espnet2_ext.mtl.encoder.hidden_states import HiddenStatesEncoder
from espnet2_ext.mtl.encoder.mlp import MLP
from espnet2_ext.mtl.encoder.multi_exit_cnn import MultiExitCNN
from espnet2_ext.mtl.encoder.panns_cnn import CNN10, CNN14
from espnet2_ext.mtl.encoder.resnet18 import ResNet18
from espnet2_ext.mtl.encoder.ssl import SSLEncoder

ENCODERS: dict[str, type[AbsEncoder]] = {
    "multi_exit_cnn": MultiExitCNN,
    "cnn10": CNN10,
    "cnn14": CNN14,
    "resnet18": ResNet18,
    "mlp": MLP,
    "emo18": Emo18,
    "ssl": SSLEncoder,
    "hidden_states": HiddenStatesEncoder,
    "audio_visual": AudioVisual,
}

__all__ = [
    "ENCODERS", "AbsEncoder", "AbsFrameEncoder", "AudioVisual", "CNN10", "CNN14", "Emo18", "HiddenStatesEncoder", "MLP",
    "MultiExitCNN", "ResNet18", "SSLEncoder",
]  # fmt: skip
