"""Make the dump directory of a set whose features are in that of another set (stage 2 of folds)."""

import argparse
from pathlib import Path

from espnet2_ext.errors import run_cli
from espnet2_ext.feature.dump import take_features


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="take_feats", description=__doc__, allow_abbrev=False)
    parser.add_argument("data_dir", type=Path, help="data directory of the set")
    parser.add_argument("source", type=Path, help="dump directory with the features of all its utterances")
    parser.add_argument("dump_dir", type=Path, help="directory to make")
    args = parser.parse_args()
    print(take_features(args.data_dir, args.source, args.dump_dir))


if __name__ == "__main__":
    run_cli(main)
