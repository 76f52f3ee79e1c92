"""Feature types: one class a file, made by `build_feature`."""

from espnet2_ext.feature.abs_feature import AbsFeature
from espnet2_ext.feature.registry import FEATURES, build_feature, load_feature

__all__ = ["AbsFeature", "FEATURES", "build_feature", "load_feature"]
