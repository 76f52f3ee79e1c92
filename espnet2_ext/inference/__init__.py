"""Use of trained models: predictions, their files, packs."""

from typing import Any

__all__ = ["MTLInference"]


def __getattr__(name: str) -> Any:
    """Import on demand: records.py is read by programs that do without torch."""
    if name == "MTLInference":
        from espnet2_ext.inference.mtl_inference import MTLInference

        return MTLInference
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
