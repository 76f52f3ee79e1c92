"""Train a multi-task model: `python -m espnet2_ext.bin.mtl_train --help`."""

import sys

import yaml

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.tasks.lean_import import lean_import


def main() -> None:
    """Entry point; ESPnet is imported here only.

    Raises:
        UserError: An option or the data are wrong; see MTLTask.
    """
    with lean_import():
        from espnet2_ext.tasks.mtl import MTLTask, set_launcher_options

    try:
        MTLTask.main(cmd=set_launcher_options(sys.argv[1:]))
    except yaml.YAMLError as error:
        raise UserError(f"--config: not plain yaml: {' '.join(str(error).split())}") from error


if __name__ == "__main__":
    run_cli(main)
