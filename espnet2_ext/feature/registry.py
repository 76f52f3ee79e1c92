"""Feature types by name, and their options from feature.yaml."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext.errors import UserError
from espnet2_ext.feature.abs_feature import AbsFeature
from espnet2_ext.feature.hidden_states import HiddenStates
from espnet2_ext.feature.kaldi_fbank import KaldiFbank
from espnet2_ext.feature.log_mel import LogMel
from espnet2_ext.feature.opensmile_functionals import OpensmileFunctionals
from espnet2_ext.feature.raw import RawWave

FEATURES: dict[str, type[AbsFeature]] = {
    feature.name: feature for feature in (LogMel, KaldiFbank, OpensmileFunctionals, RawWave, HiddenStates)
}


def build_feature(name: str, **conf: Any) -> AbsFeature:
    """Make the extractor called ``name``; ``conf`` holds its options, the fields of its class.

    Raises:
        UserError: No such feature, no such option, or a value of the wrong type or out of range.
    """
    feature = FEATURES.get(name)
    if feature is None:
        raise UserError(f"feature {name!r} is unknown; use one of {', '.join(FEATURES)}")
    known = {field.name: field.type for field in dataclasses.fields(feature)}
    for option in conf:
        if option not in known:
            raise UserError(f"feature {name}: no option {option!r}; use one of {', '.join(known)}")
    return feature(**{option: _convert(name, option, known[option], value) for option, value in conf.items()})


def load_feature(path: str | os.PathLike[str]) -> AbsFeature:
    """Make the extractor that a file describes: a mapping of ``name`` and options, such as conf/feature.yaml.

    Raises:
        UserError: The file is missing or no such mapping, or as `build_feature`.
    """
    try:
        conf = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a feature configuration") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is no YAML ({' '.join(str(error).split())}); mend it") from error
    if not isinstance(conf, dict) or not isinstance(conf.get("name"), str):
        raise UserError(f"{path}: holds no mapping with a name; write e.g. 'name: log_mel'")
    try:
        return build_feature(**{str(option): value for option, value in conf.items()})
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _convert(name: str, option: str, kind: Any, value: Any) -> Any:
    """Check a value's type; YAML reads 1 as an integer and 1e-10 as a string where a float is meant."""
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    if kind is float and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    raise UserError(f"feature {name}: option {option}: {value!r} is no {kind.__name__}; mend it")
