"""Collect mean and variance of the features (stage 5); writes ESPnet's `feats_stats.npz`.

ESPnet's own collection builds the model and imports its task base (9 s) to add up numbers; this needs NumPy only and
adds up in float64.
"""

import argparse
from pathlib import Path

import numpy as np

from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.feature.stored import open_feats
from espnet2_ext.fileio.atomic import atomic_path


def collect_stats(scp: str | Path) -> dict[str, np.ndarray]:
    """Return `count` (frames), `sum` and `sum_square` (D) over all utterances of a feats.scp.

    Raises:
        UserError: There is no utterance, or one holds a NaN or an infinity, or is of another width.
    """
    reader = open_feats(Path(scp))
    count, total, square = 0, np.zeros(0), np.zeros(0)
    for utt in reader.keys():  # noqa: SIM118 (a reader, not a dict)
        feats = reader[utt].astype(np.float64)
        if feats.ndim != 2:
            raise UserError(f"{scp}: {utt}: features of shape {feats.shape} are no (T, D) matrix")
        if count == 0:
            total, square = np.zeros(feats.shape[1]), np.zeros(feats.shape[1])
        if feats.shape[1:] != total.shape:
            raise UserError(f"{scp}: {utt}: features of shape {feats.shape}, others have {total.size} bins")
        count += len(feats)
        total += feats.sum(axis=0)
        square += np.square(feats).sum(axis=0)
        if not np.isfinite(feats).all():
            raise UserError(f"{scp}: {utt}: features hold NaN or infinity; make them again (stage 2)")
    if count == 0:
        raise UserError(f"{scp}: no frame; run stages 1 to 3 again")
    return {"count": np.asarray(count), "sum": total, "sum_square": square}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scp", type=Path, required=True, help="feats.scp of the training set")
    parser.add_argument("--out", type=Path, required=True, help="feats_stats.npz to write")
    args = parser.parse_args()
    stats = collect_stats(args.scp)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(args.out) as temporary, open(temporary, "wb") as file:
        np.savez(file, **stats)


if __name__ == "__main__":
    run_cli(main)
