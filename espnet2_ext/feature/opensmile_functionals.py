"""Functionals of whole utterances through the opensmile package."""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.feature.abs_feature import AbsFeature

if TYPE_CHECKING:
    import opensmile

_DIMS = {"eGeMAPSv02": 88, "ComParE_2016": 6373}


@dataclasses.dataclass(eq=False)
class OpensmileFunctionals(AbsFeature):
    """One vector per utterance, stored as a matrix ``(1, D)``.

    Attributes:
        sample_rate: Sampling rate in Hz.
        feature_set: ``eGeMAPSv02`` (D = 88; Eyben et al., 2016) or ``ComParE_2016`` (D = 6373; Schuller et al., 2016).
    """

    name: ClassVar[str] = "opensmile"
    feature_set: str = "eGeMAPSv02"

    def __post_init__(self) -> None:
        self._require(self.feature_set in _DIMS, f"feature_set {self.feature_set!r} is not one of {', '.join(_DIMS)}")

    @property
    def dim(self) -> int:
        """Number of functionals."""
        return _DIMS[self.feature_set]

    @property
    def frame_shift(self) -> float:
        """Zero: there is one vector per utterance."""
        return 0.0

    @cached_property
    def _smile(self) -> "opensmile.Smile":
        try:
            import opensmile
        except ImportError as error:
            raise UserError(
                f"feature {self.name}: the package opensmile is absent; run tools/install.sh --extras baseline"
            ) from error
        return opensmile.Smile(
            feature_set=opensmile.FeatureSet[self.feature_set],
            feature_level=opensmile.FeatureLevel.Functionals,
        )

    def _extract(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._smile(wave, self.sample_rate).reshape(1, self.dim).astype(np.float32) for wave in waves]
