"""Fetch a pretrained model of the wav2vec2 family from the hub into a folder that the encoder `ssl` takes.

Weights that the hub has as a pickle only are read with tensors only (no code of the file runs) and written as
safetensors, as transformers names them. A folder that is there is left alone.
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

import torch

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.hub import fetch, is_commit, is_repo
from espnet2_ext.mtl.encoder.ssl_folder import CONFIG, PREPROCESSOR, WEIGHTS, read_architecture
from espnet2_ext.train.checkpoint import load

PICKLED = "pytorch_model.bin"


def fetch_model(model: str, revision: str, out: Path) -> None:
    """Write config.json, preprocessor_config.json and model.safetensors, complete or not at all.

    Args:
        model: The hub's `org/name`.
        revision: Commit (40 hexadecimal digits).
        out: The folder; if it is there, nothing is done.

    Raises:
        UserError: Name or revision are none, the hub refuses or cannot be reached, or the model is of another kind.
    """
    if out.is_dir():
        return
    if not is_repo(model) or not is_commit(revision):
        raise UserError(f"{model} at {revision}: give org/name of the hub and a commit of 40 hexadecimal digits")
    found = fetch(model, revision, (CONFIG, PREPROCESSOR, WEIGHTS))
    if not (found / WEIGHTS).is_file():
        # Not before: a repository that has both would be fetched twice.
        found = fetch(model, revision, (CONFIG, PREPROCESSOR, PICKLED))
    temporary = out.with_name(f"{out.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name in (CONFIG, PREPROCESSOR):
        if not (found / name).is_file():
            raise UserError(f"{model} at {revision}: has no {name}; name a model of the wav2vec2 family")
        shutil.copyfile(found / name, temporary / name)
    read_architecture(temporary)
    if (found / WEIGHTS).is_file():
        shutil.copyfile(found / WEIGHTS, temporary / WEIGHTS)
    else:
        write_safetensors(found / PICKLED, temporary / WEIGHTS)
    temporary.rename(out)


def write_safetensors(source: Path, target: Path) -> None:
    """Rewrite pickled weights; nothing but tensors is read.

    Raises:
        UserError: The file is missing, torn, or holds anything else.
    """
    from safetensors.torch import save_file

    weights: Any = load(source)
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise UserError(f"{source}: holds more than tensors by name; name a model of transformers")
    # Tensors that share memory, as tied weights do, are refused otherwise.
    copies = {name: value.clone().contiguous() for name, value in weights.items()}
    save_file(copies, target, metadata={"format": "pt"})


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="org/name on the hub")
    parser.add_argument("--revision", required=True, help="commit, 40 hexadecimal digits")
    parser.add_argument("--out", type=Path, required=True, help="the folder")
    args = parser.parse_args()
    fetch_model(args.model, args.revision, args.out)
    print(f"{args.out}: {args.model} at {args.revision}")


if __name__ == "__main__":
    run_cli(main)
