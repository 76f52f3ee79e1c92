"""Resolve a training configuration whose key `base` names the file that it changes; print plain yaml."""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext.errors import UserError, run_cli


def resolve_config(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a yaml file; keys of the file win over those of its `base` (relative to the file). Mappings are not merged.

    Raises:
        UserError: A file is missing, is not a yaml mapping, or is its own base.
    """
    if path.resolve() in seen:
        raise UserError(f"{path}: is its own base")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        remedy = f"mend `base` in {seen[-1].name}" if seen else "mend the path"
        raise UserError(f"{path}: cannot be read: no such file; {remedy}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise UserError(f"{path}: a configuration is a yaml mapping of options")
    base = config.pop("base", None)
    if base is None:
        return config
    return resolve_config(path.parent / str(base), (*seen, path.resolve())) | config


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    args = parser.parse_args()
    yaml.safe_dump(resolve_config(args.config), sys.stdout, sort_keys=False)


if __name__ == "__main__":
    run_cli(main)
