"""Put the parts of parallel extraction jobs together as one dump directory: the last step of make_ark_feats.sh."""

import argparse
from pathlib import Path

from espnet2_ext.errors import run_cli
from espnet2_ext.feature import load_feature
from espnet2_ext.feature.dump import combine_jobs


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="combine_feats", description=__doc__, allow_abbrev=False)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("building", type=Path, help="directory that the jobs wrote into")
    parser.add_argument("dump_dir", type=Path, help="final directory")
    parser.add_argument("--nj", type=int, required=True, help="number of jobs")
    parser.add_argument("--feature", type=Path, required=True, help="YAML of name and options")
    args = parser.parse_args()
    print(combine_jobs(args.data_dir, args.building, args.dump_dir, args.nj, load_feature(args.feature)))


if __name__ == "__main__":
    run_cli(main)
