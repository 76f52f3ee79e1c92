"""Multi-task recognition of vocal expression on top of ESPnet2."""

__version__ = "0.1.0"
