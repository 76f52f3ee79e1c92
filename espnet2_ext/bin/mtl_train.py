"""Train a multi-task model: `python -m espnet2_ext.bin.mtl_train --help`."""

import sys

from espnet2_ext.errors import run_cli


def main() -> None:
    """Entry point; ESPnet is imported here only."""
    from espnet2_ext.tasks.mtl import MTLTask, set_launcher_options

    MTLTask.main(cmd=set_launcher_options(sys.argv[1:]))


if __name__ == "__main__":
    run_cli(main)
