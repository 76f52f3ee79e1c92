"""Encoders that start from weights of others: once, where training starts. A trained model is built without them."""

import argparse
from pathlib import Path

from espnet2_ext.errors import UserError
from espnet2_ext.feature import load_feature
from espnet2_ext.feature.hidden_states import HiddenStates
from espnet2_ext.feature.raw import RawWave
from espnet2_ext.mtl.encoder import AbsEncoder, AudioVisual, SSLEncoder
from espnet2_ext.mtl.encoder.image_weights import load_image_weights
from espnet2_ext.mtl.encoder.panns_cnn import PannsCNN
from espnet2_ext.mtl.encoder.panns_weights import load_panns


def check_pretrained(args: argparse.Namespace) -> None:
    """Refuse options that would let training start from chance, or that spoil a wave; find the layers in features.

    Raises:
        UserError: There are such options.
    """
    if args.encoder == "hidden_states":
        args.encoder_conf = args.encoder_conf | {"layers": _layers(args)}
    if args.encoder != "ssl":
        return
    if "architecture" in args.encoder_conf:
        raise UserError("encoder_conf: architecture is written by training, for what is trained; give model instead")
    if args.normalize is not None:
        raise UserError(f"--normalize {args.normalize}: the encoder ssl takes the wave itself; set normalize: null")


def _layers(args: argparse.Namespace) -> list[int]:
    """Return the layers that the features hold, as stage 2 has written beside them."""
    path = Path(args.train_dir) / "feature.yaml"
    feature = load_feature(path)
    if not isinstance(feature, HiddenStates):
        raise UserError(
            f"{path}: {feature.name}; the encoder hidden_states takes `name: hidden_states`: run stage 2 so"
        )
    if args.encoder_conf.get("layers", feature.layers) != feature.layers:
        raise UserError(
            f"encoder_conf: layers {args.encoder_conf['layers']}: {path} has {feature.layers}; leave it out"
        )
    return feature.layers


def take_pretrained(args: argparse.Namespace, encoder: AbsEncoder) -> None:
    """Load weights that an option names; make the options those of a trained model.

    Raises:
        UserError: The weights do not fit, or the features are not those that the encoder was pretrained on.
    """
    if args.panns_weights is not None:
        if not isinstance(encoder, PannsCNN):
            raise UserError(f"--panns_weights is for the encoders cnn10 and cnn14, not {args.encoder}")
        load_panns(encoder, args.panns_weights)
    if args.image_weights is not None:
        if not isinstance(encoder, AudioVisual):
            raise UserError(f"--image_weights is for the encoder audio_visual, not {args.encoder}")
        load_image_weights(encoder, args.image_weights)
    if isinstance(encoder, SSLEncoder):
        _check_rate(Path(args.train_dir) / "feature.yaml", encoder.architecture["sampling_rate"])
        args.encoder_conf = encoder.resolved(args.encoder_conf)


def _check_rate(path: Path, rate: int) -> None:
    """Compare what stage 2 has written, where it is, with the rate (Hz) of the pretrained model."""
    if not path.exists():
        return
    feature = load_feature(path)
    if not isinstance(feature, RawWave) or feature.sample_rate != rate:
        found = f"{feature.name} at {feature.sample_rate} Hz"
        raise UserError(f"{path}: {found}; the model takes `name: raw` with `sample_rate: {rate}`: run stage 2 so")
