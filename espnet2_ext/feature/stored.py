"""The features of a dump directory, however they are stored."""

import os
from pathlib import Path

from espnet2_ext.feature.registry import load_feature
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.fileio.wave_reader import WaveReader


def open_feats(scp_path: str | os.PathLike[str]) -> ArkReader | WaveReader:
    """Return the reader of a feats.scp: of arks, or of audio files where feature.yaml beside it says `store: wav`.

    Raises:
        UserError: See the readers; or feature.yaml is there and no description of features.
    """
    description = Path(scp_path).parent / "feature.yaml"
    if description.exists():
        feature = load_feature(description)
        if feature.reads_wavs:
            return WaveReader(scp_path, feature.sample_rate)
    return ArkReader(scp_path)
