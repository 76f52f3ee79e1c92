"""Entry points: `python -m espnet2_ext.bin.<name>`."""
