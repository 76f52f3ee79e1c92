"""Predict the utterances of a dump directory with a trained model (stage 7)."""

import argparse
import sys
from pathlib import Path

import torch

from espnet2_ext.data.crop import Crop
from espnet2_ext.data.dataset import MTLDataset, keep_batch
from espnet2_ext.data.sampler import SequentialBatchSampler
from espnet2_ext.data.streams import parse_streams
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.inference.device import check_device
from espnet2_ext.inference.records import write_records
from espnet2_ext.mtl.build import checked, load_trained
from espnet2_ext.train.evaluate import gather_sets, run_model


def predict(args: argparse.Namespace) -> int:
    """Write predictions.jsonl; return the number of utterances.

    Raises:
        UserError: The model or the features cannot be read, or do not fit each other.
    """
    if args.batch_size < 1 or args.num_workers < 0:
        raise UserError(f"--batch-size {args.batch_size} --num-workers {args.num_workers}: from 1, and from 0")
    device = check_device(args.device)
    model, config = load_trained(args.model / "config.yaml", args.model / args.weights, device)
    crop = checked(f"{args.model}/config.yaml: crop_conf", Crop, **config.get("crop_conf", {}))
    streams = parse_streams(config.get("streams") or {}, model.spec.names, crop)
    dataset = MTLDataset(
        args.dump, model.spec, crop, train=False, streams=streams, streams_required=not model.encoder.hears
    )
    for stream in dataset.streams:
        if missing := stream.missing(dataset.utts):
            print(f"warning: {args.dump}: {missing} utterances lack {stream.name}; predicted without", file=sys.stderr)
    if dataset.feature_size != config["input_size"]:
        raise UserError(
            f"{args.dump}/feats.scp: features of {dataset.feature_size} bins; the model takes {config['input_size']}"
        )
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_sampler=SequentialBatchSampler(len(dataset), args.batch_size),
        collate_fn=keep_batch,
        num_workers=args.num_workers,
    )
    utts, outputs, targets = run_model(model, loader, device, torch.autocast(device, enabled=False))
    utts, outputs, _ = gather_sets(utts, outputs, targets)
    with torch.no_grad():
        reported = model.report({name: torch.from_numpy(value).to(device) for name, value in outputs.items()})
    write_records(args.out, model.spec, utts, {name: value.cpu().numpy() for name, value in reported.items()})
    return len(utts)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="mtl_predict", description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", type=Path, required=True, help="exp/<tag>")
    parser.add_argument("--weights", default="valid.score.ave.pth", help="which weights of the experiment")
    parser.add_argument("--dump", type=Path, required=True, help="dump/<feature>/<set>")
    parser.add_argument("--out", type=Path, required=True, help="predictions.jsonl")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--num-workers", type=int, default=0, help="processes that read features")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    print(f"{args.out}: {predict(args)} utterances")


if __name__ == "__main__":
    run_cli(main)
