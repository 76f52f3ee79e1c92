"""Pack a trained model into one zip (stage 10), show or unpack a pack, send it to the Hugging Face hub or fetch it."""

import argparse
from pathlib import Path

from espnet2_ext.errors import run_cli
from espnet2_ext.inference.archive import CARD, read_archive, write_folder
from espnet2_ext.inference.hub import download_pack, upload
from espnet2_ext.inference.pack import build_trained, write_pack


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="mtl_pack", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="write a pack", allow_abbrev=False)
    pack.add_argument("--model", type=Path, required=True, help="exp/<tag>")
    pack.add_argument("--weights", default="valid.score.ave.pth", help="which weights of the experiment")
    pack.add_argument("--out", type=Path, required=True, help="the zip to write")
    pack.add_argument("--onnx", choices=("true", "false"), default="false", help="pack the model as ONNX graph too")
    info = commands.add_parser("info", help="check a pack and print its model card", allow_abbrev=False)
    info.add_argument("--pack", type=Path, required=True, help="the zip")
    unpack = commands.add_parser("unpack", help="check a pack and write its files", allow_abbrev=False)
    unpack.add_argument("--pack", type=Path, required=True, help="the zip")
    unpack.add_argument("--out", type=Path, required=True, help="folder to make")
    send = commands.add_parser("upload", help="check a pack and put it on the Hugging Face hub", allow_abbrev=False)
    send.add_argument("--pack", type=Path, required=True, help="the zip")
    send.add_argument("--repo", required=True, help="org/name; made if it is not there")
    send.add_argument("--revision", help="branch (default: the main one)")
    send.add_argument("--private", choices=("true", "false"), default="true", help="for a repository that is made")
    fetch = commands.add_parser("download", help="fetch a pack from the hub and check it", allow_abbrev=False)
    fetch.add_argument("--repo", required=True, help="org/name")
    fetch.add_argument("--revision", help="branch, tag or commit (default: the main branch)")
    fetch.add_argument("--out", type=Path, required=True, help="the zip to write")
    return parser.parse_args()


def main() -> None:
    """Entry point."""
    args = parse_args()
    if args.command == "pack":
        write_pack(args.model, args.weights, args.out, args.onnx == "true")
        print(f"{args.out}: {args.out.stat().st_size / 2**20:.1f} MiB")
    elif args.command == "download":
        download_pack(args.repo, args.out, args.revision)
        print(f"{args.out}: {args.out.stat().st_size / 2**20:.1f} MiB")
    elif args.command == "upload":
        print(upload(args.pack, args.repo, args.revision, args.private == "true"))
    else:
        members = read_archive(args.pack)
        build_trained(members, args.pack)
        if args.command == "unpack":
            write_folder(members, args.out)
            print(f"{args.out}: {', '.join(sorted(members))}")
        else:
            print(members[CARD].decode("utf-8"))
            print(*(f"{name}: {len(data):,} bytes" for name, data in sorted(members.items())), sep="\n")


if __name__ == "__main__":
    run_cli(main)
