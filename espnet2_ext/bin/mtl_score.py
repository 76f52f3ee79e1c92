"""Score predictions against labels (stage 8): whole-set metrics with intervals from a bootstrap over speakers."""

import argparse
import json
from pathlib import Path

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.report.bootstrap import write_samples
from espnet2_ext.report.experiment import read_spec
from espnet2_ext.report.naming import metric_name
from espnet2_ext.report.score_set import read_predicted_set, score_set
from espnet2_ext.report.text_table import format_interval, format_number, plain_table


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--predictions", type=Path, required=True, help="predictions.jsonl of the set")
    parser.add_argument("--data", type=Path, required=True, help="directory with utt2spk and utt2<task> of the set")
    parser.add_argument("--tasks", type=Path, required=True, help="config.yaml of the experiment, or tasks.yaml")
    parser.add_argument("--out", type=Path, required=True, help="score.json to write; the bootstrap goes beside it")
    parser.add_argument("--bootstrap", type=int, default=1000, help="resampled sets; 0 for no intervals")
    parser.add_argument("--seed", type=int, default=0, help="seed of the resampling")
    args = parser.parse_args()
    if args.bootstrap < 0 or args.seed < 0:
        raise UserError("--bootstrap and --seed: give whole numbers from 0")
    spec = read_spec(args.tasks)
    predicted = read_predicted_set(args.predictions, args.data, spec)
    result, names, samples = score_set(predicted, args.bootstrap, args.seed)
    # score.json last: where it stands, the bootstrap beside it is of the same predictions.
    if names:
        write_samples(args.out.with_name("bootstrap.npz"), names, samples, result["bootstrap"]["fingerprint"])
    with atomic_path(args.out) as temporary:
        temporary.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    entries = {**result["metrics"], result["score"]["name"]: result["score"]}
    rows = [
        [metric_name(spec, key), format_number(e["value"]), format_interval(e["interval"])]
        for key, e in entries.items()
    ]
    print(f"{args.data}: {result['n_utterances']} utterances, {result['n_speakers']} speakers")
    print(plain_table(["metric", "value", "95 % interval"], rows))


if __name__ == "__main__":
    run_cli(main)
