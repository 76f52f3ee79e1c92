"""Put several data directories together."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from espnet2_ext.data.data_dir import FACT_FILES, SPK_FILES, UTT_FILES, Rows, read_dir, write_dir
from espnet2_ext.errors import UserError, run_cli


def combine(target: Path, sources: Sequence[Path]) -> int:
    """Write the utterances of all sources to `target`; return their number.

    Files with a line per utterance or speaker (wav.scp, feats.scp, utt2dur, ...) are kept if every source has them and
    else left out, with a warning. Label files are kept if any source has them: labels may be missing.

    Raises:
        UserError: An utterance is in two sources, or a speaker has two values.
    """
    parts = [read_dir(source) for source in sources]
    combined: dict[str, Rows] = {}
    for name in sorted({name for part in parts for name in part}):
        lacking = [str(source) for source, part in zip(sources, parts, strict=True) if name not in part]
        if lacking and (name in UTT_FILES or name in FACT_FILES or name in SPK_FILES):
            print(f"warning: {name} is left out: not in {', '.join(lacking)}", file=sys.stderr)
            continue
        combined[name] = {}
        for source, part in zip(sources, parts, strict=True):
            for key, value in part.get(name, {}).items():
                if key in combined[name] and (name not in SPK_FILES or combined[name][key] != value):
                    raise UserError(f"{source / name}: {key}: is in another of the directories too; rename or drop it")
                combined[name][key] = value
    write_dir(target, combined)
    return len(combined["utt2spk"])


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="combine_data.sh", description=__doc__, allow_abbrev=False)
    parser.add_argument("target", type=Path)
    parser.add_argument("source", type=Path, nargs="+")
    options = parser.parse_args()
    if options.target.resolve() in [source.resolve() for source in options.source]:
        raise UserError(f"{options.target}: is one of the sources; name another target")
    print(
        f"{options.target}: {combine(options.target, options.source)} utterances of {len(options.source)} directories"
    )
    return 0


if __name__ == "__main__":
    run_cli(main)
