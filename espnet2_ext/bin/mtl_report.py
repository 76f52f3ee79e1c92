"""Report on a trained model (stage 9): RESULTS.md, figures as PNG, and a page that needs no other file."""

import argparse
from pathlib import Path

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.fileio.table import read_table
from espnet2_ext.report.compare import compare
from espnet2_ext.report.experiment import read_experiment
from espnet2_ext.report.page import AudioShelf, render
from espnet2_ext.report.pictures import make_pictures
from espnet2_ext.report.results_md import results_markdown
from espnet2_ext.report.scored_set import read_scored_set


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--exp", type=Path, required=True, help="directory of the experiment")
    parser.add_argument("--sets", required=True, help='scored sets, e.g. "dev test"')
    parser.add_argument("--dump", type=Path, required=True, help="directory that holds a directory with labels per set")
    parser.add_argument("--out", type=Path, required=True, help="directory of the report")
    parser.add_argument("--compare", type=Path, nargs="*", default=[], help="experiments to show side by side with it")
    parser.add_argument("--audio-wav-scp", type=Path, nargs="*", default=[], help="wav.scp files, for players")
    args = parser.parse_args()
    names = list(dict.fromkeys(args.sets.split()))
    if not names:
        raise UserError('--sets: names no set; give e.g. "dev test"')
    experiment = read_experiment(args.exp)
    others = [read_experiment(path) for path in args.compare]
    sets = [read_scored_set(experiment, name, args.dump) for name in names]
    paths = {utt: path for scp in args.audio_wav_scp for utt, path in read_table(scp).items()}
    comparison = compare([experiment, *others], names, args.out) if others else None
    pictures = make_pictures(experiment, sets, args.out)
    page = render(experiment, sets, pictures, AudioShelf(paths), comparison)
    for name, text in (("report.html", page), ("RESULTS.md", results_markdown(experiment, sets))):
        with atomic_path(args.out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    print(f"{args.out}/report.html and RESULTS.md: {', '.join(names)}")


if __name__ == "__main__":
    run_cli(main)
