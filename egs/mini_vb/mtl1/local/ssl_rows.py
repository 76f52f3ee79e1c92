#!/usr/bin/env python3
"""Write the configurations of networks on a pretrained model, fine-tuned and frozen; print them as rows of a grid."""

import argparse
from pathlib import Path

from espnet2_ext.bin.exit_grid import write_variant
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.mtl.task_spec import load_task_spec

# What the pretrained model does: it learns as the configuration says, or it only gives features.
FINE_TUNED, FROZEN = "fine-tuned", "frozen"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the pretrained model's folder")
    parser.add_argument("--configs", type=Path, required=True, help="folder of train_ssl_<arch>_<weighting>.yaml")
    parser.add_argument("--tasks", type=Path, required=True, help="tasks.yaml")
    parser.add_argument("--archs", nargs="+", required=True)
    parser.add_argument("--weightings", nargs="+", required=True)
    parser.add_argument("--modes", nargs="+", choices=(FINE_TUNED, FROZEN), required=True)
    parser.add_argument("--out", type=Path, required=True, help="directory of the configurations")
    arguments = parser.parse_args()
    # All tasks leave at the last layer, not where the tasks' file has them leave a CNN.
    exits = dict.fromkeys(load_task_spec(arguments.tasks).names)
    for mode in arguments.modes:
        changes = {"task_exits": exits, "encoder_conf": {"model": arguments.model}}
        if mode == FROZEN:
            changes["encoder_conf"] |= {"freeze": "all", "mask_time_prob": 0.0, "mask_feature_prob": 0.0}
            changes["encoder_lr"] = None
        for arch in arguments.archs:
            for weighting in arguments.weightings:
                config = arguments.configs / f"train_ssl_{arch}_{weighting}.yaml"
                if not config.is_file():
                    raise UserError(f"{config}: no such file; name architectures and weightings that are there")
                path = write_variant(config, mode, changes, arguments.out)
                print(f"{arch.upper()}:{weighting.upper()}:{mode}={path}")


if __name__ == "__main__":
    run_cli(main)
