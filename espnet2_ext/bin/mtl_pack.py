"""Pack a trained model into one zip (stage 10), or show what a pack holds."""

import argparse
from pathlib import Path

from espnet2_ext.errors import run_cli
from espnet2_ext.inference.pack import CARD, read_members, read_pack, write_pack


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="write a pack")
    pack.add_argument("--model", type=Path, required=True, help="exp/<tag>")
    pack.add_argument("--weights", default="valid.score.ave.pth", help="which weights of the experiment")
    pack.add_argument("--out", type=Path, required=True, help="the zip to write")
    info = commands.add_parser("info", help="load a pack and print its model card")
    info.add_argument("--pack", type=Path, required=True)
    args = parser.parse_args()
    if args.command == "pack":
        write_pack(args.model, args.weights, args.out)
        print(f"{args.out}: {args.out.stat().st_size / 2**20:.1f} MiB")
    else:
        read_pack(args.pack)
        print(read_members(args.pack)[CARD].decode("utf-8"))


if __name__ == "__main__":
    run_cli(main)
