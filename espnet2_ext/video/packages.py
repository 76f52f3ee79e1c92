"""The packages of the extra `video`, imported when they are needed: the base package works without them."""

import importlib
from types import ModuleType

from espnet2_ext.errors import UserError


def load_package(name: str) -> ModuleType:
    """Return `av` or `cv2`.

    Raises:
        UserError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(f"the package {name} is absent; run tools/install.sh --extras video") from error
