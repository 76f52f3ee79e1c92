#!/usr/bin/env python3
"""Make data directories from a table of labels and a folder of audio files; --help says how."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from espnet2_ext.data.csv_to_data_dir import main
from espnet2_ext.errors import run_cli

if __name__ == "__main__":
    run_cli(main)
