#!/usr/bin/env python3
"""Write a tiny wav2vec2 model of 12 layers with random weights, in the folder format of transformers."""

import argparse
import json
import shutil
from pathlib import Path

import torch

from espnet2_ext.errors import run_cli
from espnet2_ext.mtl.encoder.ssl_folder import PREPROCESSOR, import_transformers

# Kernels and strides, and so 50 frames a second, are those of wav2vec2-base; the width is a sixteenth.
OPTIONS = {
    "hidden_size": 48, "num_hidden_layers": 12, "num_attention_heads": 4, "intermediate_size": 192,
    "conv_dim": [32] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip


def main() -> None:
    """Parse options, write the folder unless it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder; left alone if it is there")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.out.is_dir():
        print(f"{arguments.out} is there, nothing to do")
        return
    transformers = import_transformers()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(arguments.seed)
    model = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**OPTIONS))
    temporary = arguments.out.with_name(f"{arguments.out.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    model.save_pretrained(temporary)
    preprocessor = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 16000, "do_normalize": True}
    (temporary / PREPROCESSOR).write_text(json.dumps(preprocessor), encoding="utf-8")
    temporary.rename(arguments.out)
    print(f"{arguments.out}: {model.num_parameters():,} parameters, random")


if __name__ == "__main__":
    run_cli(main)
