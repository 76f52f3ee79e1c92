"""A small dump directory of waves, pictures and labels, for tests."""

import json
from pathlib import Path

import numpy as np
import yaml

from espnet2_ext.fileio.ark import ArkWriter
from espnet2_ext.fileio.table import write_table

HOP, SIZE = 8, 16
TASKS = {
    "tasks": [
        {"name": "emotion", "type": "classification", "classes": ["ang", "hap", "sad"], "exit": 1},
        {"name": "gender", "type": "classification", "classes": ["female", "male"], "exit": 1},
    ],
    "score": {
        "name": "hm_uar",
        "combine": "harmonic_mean",
        "terms": [{"task": "emotion", "metric": "uar"}, {"task": "gender", "metric": "uar"}],
    },
}
# The encoder audio_visual for these data.
SMALL = {
    "hop": HOP, "lstm_cells": 6, "wave_conf": {"filters": 4, "short_taps": 4, "long_taps": 6, "channel_pool": 2},
    "face_conf": {"network": "resnet18", "width": 4, "size": SIZE},
}  # fmt: skip


def make_av_dump(directory: Path, n_utts: int, seed: int, prefix: str, without_video: int = 4) -> None:
    """Write feats.scp (waves of 3 to 8 pictures), video.scp and labels; every `without_video`-th lacks video.

    A picture's bytes are all its number; the samples beside it are its number / 100, so that crops can be compared.
    """
    rng = np.random.default_rng(seed)
    directory.mkdir(parents=True)
    names = ("spk", "dur", "num_frames", "emotion", "gender")
    tables: dict[str, dict[str, str]] = {name: {} for name in names}
    with (
        ArkWriter(directory / "feats.ark", directory / "feats.scp") as waves,
        ArkWriter(directory / "video.ark", directory / "video.scp", compression=6) as video,
    ):
        for number in range(n_utts):
            utt = f"{prefix}{number % 4}-{number:03d}"
            samples = int(rng.integers(2 * HOP + 1, 8 * HOP))
            frames = -(-samples // HOP)
            wave = np.repeat(np.arange(frames, dtype=np.float32) / 100, HOP)[:samples, None]
            waves.write(utt, wave)
            if number % without_video:
                pictures = np.repeat(np.arange(frames, dtype=np.uint8)[:, None], 3 * SIZE**2, axis=1)
                video.write(utt, pictures)
            tables["spk"][utt] = f"{prefix}{number % 4}"
            tables["dur"][utt] = f"{samples / 16000:.5f}"
            tables["num_frames"][utt] = str(samples)
            tables["emotion"][utt] = ("ang", "hap", "sad")[int(rng.integers(3))]
            tables["gender"][utt] = ("female", "male")[number % 2]
    for name, rows in tables.items():
        write_table(directory / f"utt2{name}", rows)
    (directory / "feature.yaml").write_text("name: raw\nsample_rate: 16000\n")


def make_av_experiment(root: Path, n_train: int = 14, n_dev: int = 7) -> list[str]:
    """Write dumps, tasks.yaml and statistics below `root`; return the training options that name them."""
    from espnet2_ext.bin.collect_stats import collect_stats
    from espnet2_ext.data.check_tasks import check_tasks, write_task_stats
    from espnet2_ext.mtl.task_spec import load_task_spec

    make_av_dump(root / "dump/train", n_train, 0, "tr")
    make_av_dump(root / "dump/dev", n_dev, 1, "dv")
    (root / "tasks.yaml").write_text(yaml.safe_dump(TASKS))
    stats = check_tasks(load_task_spec(root / "tasks.yaml"), root / "dump/train", [root / "dump/dev"])
    write_task_stats(stats, root / "task_stats.yaml")
    np.savez(root / "feats_stats.npz", **collect_stats(root / "dump/train/feats.scp"))
    return [
        "--task_config", f"{root}/tasks.yaml", "--train_dir", f"{root}/dump/train", "--valid_dir", f"{root}/dump/dev",
        "--task_stats", f"{root}/task_stats.yaml", "--feature_stats", f"{root}/feats_stats.npz",
        "--encoder", "audio_visual", "--encoder_conf", json.dumps(SMALL), "--weighting", "softmax",
        "--crop_conf", f"{{frames: {5 * HOP}, padding: zero, align: {HOP}}}",
        "--batch_size", "7", "--max_epoch", "2", "--keep_nbest_models", "1", "--use_tensorboard", "false",
    ]  # fmt: skip
