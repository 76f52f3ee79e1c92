"""The list of augmentations in a configuration: order, and what is refused in one line."""

from typing import Any

import numpy as np
import pytest

from espnet2_ext.data.augment import AUGMENTATIONS, AbsFeatureAugmentation, AbsWaveAugmentation, build_augmentations
from espnet2_ext.data.augment.abs_augmentation import apply_features, apply_waves
from espnet2_ext.errors import UserError


def names(*given: str) -> list[list[str]]:
    built = build_augmentations([{"name": name} for name in given])
    assert [a.name for a in built.in_order] == list(given)
    return [[a.name for a in part] for part in (built.waves, built.before, built.after)]


def test_order() -> None:
    assert names() == [[], [], []]
    assert names("noise", "speed", "gain") == [["noise", "speed", "gain"], [], []]
    assert names("speed", "feature_gain", "mixup", "spec_augment", "feature_gain") == [
        ["speed"], ["feature_gain"], ["spec_augment", "feature_gain"],
    ]  # fmt: skip
    assert names("spec_augment", "mixup") == [[], ["spec_augment"], []]


def test_every_one_is_of_one_kind_and_has_a_probability() -> None:
    for name, augmentation in AUGMENTATIONS.items():
        assert name == augmentation.name
        assert augmentation().probability == 1
        assert issubclass(augmentation, AbsWaveAugmentation) + issubclass(augmentation, AbsFeatureAugmentation) == (
            name != "mixup"
        )


def test_probability() -> None:
    rng = np.random.default_rng(0)
    wave, feats = np.ones(8, np.float32), np.arange(12, dtype=np.float32).reshape(4, 3)
    never = build_augmentations(
        [{"name": name, "probability": 0} for name in ("gain", "noise", "speed", "feature_gain", "spec_augment")]
    )
    assert apply_waves(never.waves, wave, 16000, rng) is wave
    assert apply_features(never.before, feats, 1.0, rng) is feats
    (gain,) = build_augmentations([{"name": "gain", "min_db": 3, "max_db": 3, "probability": 0.3}]).waves
    changed = sum(apply_waves([gain], wave, 16000, rng) is not wave for _ in range(2000))
    assert abs(changed / 2000 - 0.3) < 5 * np.sqrt(0.21 / 2000)


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({"name": "speed"}, "give a list such as"),
        ("spec_augment", "give a list such as"),
        (None, "give a list such as"),
        (["speed"], "is a mapping with a name, not 'speed'"),
        ([{"factors": [1]}], "is a mapping with a name"),
        ([{"name": "warp"}], "no such augment: warp; use one of speed, noise, gain, feature_gain, mixup, spec_augment"),
        ([{"name": "mixup", "alfa": 1}], "augment mixup: no such option: alfa; its options are: probability, alpha"),
        ([{"name": "mixup"}, {"name": "speed"}], "augment: speed changes waves; put it before mixup"),
        ([{"name": "spec_augment"}, {"name": "gain"}], "augment: gain changes waves; put it before spec_augment"),
        ([{"name": "mixup"}, {"name": "mixup"}], "augment: mixup comes twice"),
        ([{"name": "gain", "probability": 1.5}], "augment gain: probability 1.5 is not in [0, 1]"),
        ([{"name": "gain", "probability": True}], "probability True"),
        ([{"name": "gain", "probability": "half"}], "probability 'half'"),
        ([{"name": "gain", "min_db": 3, "max_db": 2}], "min_db 3 is above max_db 2"),
        ([{"name": "feature_gain", "min_db": -1e3}], "min_db -1000.0 is not in [-100, 100]"),
        ([{"name": "noise", "min_snr": float("nan")}], "min_snr nan"),
        ([{"name": "noise", "min_snr": 31}], "min_snr 31 is above max_snr 30.0"),
        ([{"name": "noise", "colors": ["blue"]}], "color 'blue' is not one of white, pink, brown"),
        ([{"name": "noise", "colors": "white"}], "colors 'white' is no list of white, pink, brown"),
        ([{"name": "speed", "factors": []}], "factors [] is no list of speeds"),
        ([{"name": "speed", "factors": [0.9, 3]}], "factor 3 is not in [0.5, 2]"),
        ([{"name": "speed", "factors": ["fast"]}], "factor 'fast'"),
        ([{"name": "mixup", "alpha": 0}], "alpha 0 is not in [0.001, 1000]"),
        ([{"name": "mixup", "domain": "log"}], "domain 'log' is not features or linear"),
        ([{"name": "spec_augment", "fill": "noise"}], "fill 'noise' is not mean or zero"),
        ([{"name": "spec_augment", "n_time_masks": 1.5}], "n_time_masks 1.5 is not a whole number from 0"),
        ([{"name": "spec_augment", "max_freq_bins": -1}], "max_freq_bins -1"),
        ([{"name": "spec_augment", "max_time_fraction": 1.1}], "max_time_fraction 1.1 is not in [0, 1]"),
    ],
    ids=str,
)
def test_what_is_refused(conf: Any, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        build_augmentations(conf)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
