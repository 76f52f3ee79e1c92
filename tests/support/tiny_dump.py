"""A small dump directory with features and labels, for tests."""

from pathlib import Path

import numpy as np
import yaml

from espnet2_ext.fileio.ark import ArkWriter
from espnet2_ext.fileio.table import write_table

TASKS = {
    "tasks": [
        {
            "name": "emotion", "type": "regression", "dimensions": ["joy", "fear"], "activation": "sigmoid",
            "range": [0, 1], "exit": 2,
        },
        {
            "name": "age", "type": "regression", "dimensions": ["age"], "loss": "l1", "metric": "mae", "unit": "years",
            "normalise": True, "exit": 1,
        },
        {"name": "country", "type": "classification", "classes": ["here", "there"], "exit": 2},
    ],
    "score": {
        "name": "s_mtl",
        "terms": [
            {"task": "emotion", "metric": "ccc"},
            {"task": "country", "metric": "uar"},
            {"task": "age", "metric": "mae", "transform": "inverse"},
        ],
    },
}  # fmt: skip
N_BINS = 8


def make_dump(directory: Path, n_utts: int, seed: int, prefix: str, missing: float = 0.2) -> None:
    """Write feats.ark, feats.scp, utt2spk, utt2dur, utt2num_frames and label files; labels show in the features."""
    rng = np.random.default_rng(seed)
    directory.mkdir(parents=True)
    tables: dict[str, dict[str, str]] = {name: {} for name in ("spk", "dur", "num_frames", "emotion", "age", "country")}
    with ArkWriter(directory / "feats.ark", directory / "feats.scp") as writer:
        for i in range(n_utts):
            utt = f"{prefix}{i % 4}-{i:03d}"
            joy, fear, country = rng.random(), rng.random(), int(rng.integers(2))
            frames = int(rng.integers(12, 40))
            feats = rng.normal(size=(frames, N_BINS)).astype(np.float32)
            feats[:, 0] += 3 * joy
            feats[:, 1] += 3 * fear
            feats[:, 2] += 2 * country
            writer.write(utt, feats)
            tables["spk"][utt] = f"{prefix}{i % 4}"
            tables["dur"][utt] = f"{frames / 100:.2f}"
            tables["num_frames"][utt] = str(frames)
            if rng.random() >= missing:
                tables["emotion"][utt] = f"{joy:.4f} {'nan' if rng.random() < missing else f'{fear:.4f}'}"
            if rng.random() >= missing:
                tables["age"][utt] = f"{20 + 10 * joy:.2f}"
            if rng.random() >= missing:
                tables["country"][utt] = ("here", "there")[country]
    for name, rows in tables.items():
        write_table(directory / f"utt2{name}", rows)


def make_experiment(root: Path, n_train: int = 40, n_dev: int = 13) -> list[str]:
    """Write dumps, tasks.yaml and statistics below `root`; return the training options that name them."""
    from espnet2_ext.bin.collect_stats import collect_stats
    from espnet2_ext.data.check_tasks import check_tasks, write_task_stats
    from espnet2_ext.mtl.task_spec import load_task_spec

    make_dump(root / "dump/train", n_train, 0, "tr")
    make_dump(root / "dump/dev", n_dev, 1, "dv")
    (root / "tasks.yaml").write_text(yaml.safe_dump(TASKS))
    stats = check_tasks(load_task_spec(root / "tasks.yaml"), root / "dump/train", [root / "dump/dev"])
    write_task_stats(stats, root / "task_stats.yaml")
    np.savez(root / "feats_stats.npz", **collect_stats(root / "dump/train/feats.scp"))
    return [
        "--task_config", f"{root}/tasks.yaml", "--train_dir", f"{root}/dump/train", "--valid_dir", f"{root}/dump/dev",
        "--task_stats", f"{root}/task_stats.yaml", "--feature_stats", f"{root}/feats_stats.npz",
        "--encoder_conf", "channels=[4,8]", "--crop_conf", "frames=20", "--optim_conf", "lr=0.005",
        "--batch_size", "8", "--max_epoch", "4", "--keep_nbest_models", "2", "--use_tensorboard", "false",
    ]  # fmt: skip
