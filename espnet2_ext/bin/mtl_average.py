"""Make an ensemble of several models: the averages of their predictions, as an experiment that can be scored.

It writes what tables and submissions read, no weights: config.yaml with tasks and seed, env.yaml, and
predict_<set>/predictions.jsonl of each set. Values are averaged, and the classes' probabilities.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.inference.average import average
from espnet2_ext.inference.records import write_records
from espnet2_ext.report.experiment import Experiment, read_experiment
from espnet2_ext.report.grid import whole_spec
from espnet2_ext.train.environment import write_environment


def write_ensemble(experiments: Sequence[Experiment], sets: Sequence[str], seed: int, out: Path) -> None:
    """Write the ensemble's directory; a model of some tasks counts for these.

    Args:
        experiments: The models.
        sets: Sets that all of them have predicted.
        seed: Seed that the ensemble has in a table.
        out: The directory.

    Raises:
        UserError: A model has not predicted a set, or models predict different utterances.
    """
    spec = whole_spec([experiment.spec for experiment in experiments])
    for name in sets:
        utts, outputs = average([e.predict_dir(name) / "predictions.jsonl" for e in experiments], spec)
        folder = out / f"predict_{name}"
        folder.mkdir(parents=True, exist_ok=True)
        write_records(folder / "predictions.jsonl", spec, utts, outputs)
    counts = [experiment.env.get("n_parameters") for experiment in experiments]
    known = {"n_parameters": sum(counts)} if all(isinstance(count, int) for count in counts) else {}
    command = shlex.join(["python", "-m", "espnet2_ext.bin.mtl_average", *sys.argv[1:]])
    write_environment(out / "env.yaml", command=command, **known)
    # Last: what has a config.yaml is an experiment.
    config = {"seed": seed, "ensemble": [str(e.path) for e in experiments], "task_spec": spec.to_dict()}
    with atomic_path(out / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def common_seed(experiments: Sequence[Experiment]) -> int:
    """Return the seed that all models have.

    Raises:
        UserError: They have several, or one has none.
    """
    seeds = {experiment.config.get("seed") for experiment in experiments}
    seed = seeds.pop()
    if seeds or not isinstance(seed, int):
        raise UserError("--models: of several seeds; give the one that the ensemble has in a table with --seed")
    return seed


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", required=True, help="directories of the models, exp/<tag>")
    parser.add_argument("--sets", nargs="+", required=True, help="sets that they have predicted, e.g. dev test")
    parser.add_argument("--seed", type=int, help="seed of the ensemble in a table; default: that of the models")
    parser.add_argument("--out", type=Path, required=True, help="directory of the ensemble")
    args = parser.parse_args()
    experiments = [read_experiment(path) for path in args.models]
    seed = common_seed(experiments) if args.seed is None else args.seed
    write_ensemble(experiments, args.sets, seed, args.out)
    print(f"{args.out}: {len(experiments)} models, sets {', '.join(args.sets)}")


if __name__ == "__main__":
    run_cli(main)
