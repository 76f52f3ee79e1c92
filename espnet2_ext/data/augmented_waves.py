"""Features of changed waves, made while training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from espnet2_ext.data.augment import AbsWaveAugmentation
from espnet2_ext.data.augment.abs_augmentation import apply_waves
from espnet2_ext.errors import UserError
from espnet2_ext.feature import load_feature
from espnet2_ext.feature.raw import RawWave
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.fileio.audio import load_audio
from espnet2_ext.fileio.table import read_table
from espnet2_ext.fileio.wave_reader import WaveReader


class AugmentedWaves:
    """Reads waves, changes them and extracts features as stage 2 did: where nothing is changed, the same to the bit.

    Args:
        directory: `dump/<feature>/<set>` with feature.yaml and wav.scp; where the features are waves themselves, these
            are read by the reader.
        reader: The stored features.
        augmentations: What is applied.

    Raises:
        UserError: feature.yaml or wav.scp is missing, or an utterance is not in it or names a shell pipe.
    """

    def __init__(
        self, directory: str | Path, reader: ArkReader | WaveReader, augmentations: Sequence[AbsWaveAugmentation]
    ) -> None:
        self.reader, self.augmentations = reader, augmentations
        self.feature = load_feature(Path(directory) / "feature.yaml")
        self.wavs: dict[str, str] = {}
        if not isinstance(self.feature, RawWave):
            self.wavs = _read_wav_scp(Path(directory) / "wav.scp", reader, augmentations[0].name)

    def features(self, utts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[np.ndarray]:
        """Features (T, D) of changed waves.

        Args:
            utts: Utterances.
            rngs: Source of the randomness of each; one may stand for several.

        Raises:
            UserError: A wave cannot be read.
        """
        rate = self.feature.sample_rate
        waves = [
            apply_waves(self.augmentations, self._wave(utt), rate, rng) for utt, rng in zip(utts, rngs, strict=True)
        ]
        return self.feature.extract(waves, rate)

    def _wave(self, utt: str) -> np.ndarray:
        if self.wavs:
            return load_audio(self.wavs[utt], self.feature.sample_rate)[0]
        return np.ascontiguousarray(self.reader[utt][:, 0])


def _read_wav_scp(path: Path, reader: ArkReader | WaveReader, name: str) -> dict[str, str]:
    if not path.exists():
        raise UserError(
            f"{path}: no such file; augment {name} changes waves: run stages 2 and 3 again, or leave it out"
        )
    wavs = read_table(path)
    for utt in reader.keys():  # noqa: SIM118 (a reader, not a dict)
        if utt not in wavs:
            raise UserError(f"{path}: no utterance {utt}; run stages 2 and 3 again")
        if "|" in wavs[utt]:
            raise UserError(f"{path}: {utt}: a shell pipe is not run; write its output to a file and name that file")
    return wavs
