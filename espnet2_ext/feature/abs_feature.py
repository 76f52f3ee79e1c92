"""What every feature type offers."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from espnet2_ext.errors import UserError


@dataclasses.dataclass(eq=False)
class AbsFeature(ABC):
    """Extractor of one feature type; its options are the fields of the data class.

    Attributes:
        name: Name in feature.yaml.
        sample_rate: Sampling rate in Hz of the waves it takes.
    """

    name: ClassVar[str]
    sample_rate: int = 16000

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of values per frame."""

    @property
    @abstractmethod
    def frame_shift(self) -> float:
        """Seconds from frame to frame; 0 if there is one vector per utterance."""

    @property
    def log_scale(self) -> float | None:
        """What the natural logarithm of an energy is multiplied by in these features; None if they are no logarithms.

        An energy is the square of an amplitude: 1 is ln(power), 0.5 is ln(magnitude).
        """
        return None

    @property
    def ark_compression(self) -> int | None:
        """Kaldi's compression method of its archives, where none is asked for; None is float32."""
        return None

    @property
    def reads_wavs(self) -> bool:
        """Whether features are read from the audio files in training, and none are stored."""
        return False

    @abstractmethod
    def _extract(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `extract`; the waves are checked."""

    def extract(self, waves: Sequence[np.ndarray], rate: int) -> list[np.ndarray]:
        """Compute the features of several utterances; the result does not depend on which ones come together.

        Args:
            waves: float32 arrays of shape ``(N,)`` with samples in [-1, 1].
            rate: Their sampling rate in Hz.

        Returns:
            float32 arrays of shape ``(T, D)``. T is 0 for a wave that is too short for one frame.

        Raises:
            UserError: The rate is not `sample_rate`.
            ValueError: A wave is not one-dimensional or has no sample.
        """
        if rate != self.sample_rate:
            raise UserError(
                f"feature {self.name}: takes {self.sample_rate} Hz, not {rate}; resample the audio or set sample_rate"
            )
        for wave in waves:
            if wave.ndim != 1 or wave.size == 0:
                raise ValueError(f"a wave has shape {wave.shape}; expected (N,) with N > 0")
        return self._extract([np.asarray(wave, np.float32) for wave in waves])

    def config(self) -> dict[str, Any]:
        """Return the name and all options with their values, as feature.yaml holds them."""
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.init}
        return {"name": self.name, **options}

    @property
    def self_contained(self) -> bool:
        """Whether the options say all, or name a file that is needed too."""
        return True

    def pack(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return self-contained options for a pack, and the tensors by name that belong to them, if any."""
        return self.config(), {}

    def unpack(self, weights: Mapping[str, Any]) -> None:
        """Take the tensors that `pack` returned.

        Raises:
            UserError: They are not those of this feature.
        """
        if weights:
            raise UserError(f"feature {self.name}: has no weights, such as {min(weights)}; pack the model again")

    def _require(self, good: bool, what: str) -> None:
        """Raise a UserError about an option unless it is good."""
        if not good:
            raise UserError(f"feature {self.name}: {what}; mend conf/feature.yaml")
