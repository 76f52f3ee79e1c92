"""A small dump directory of waves, and the options of a training that fine-tunes a tiny pretrained model on it."""

from pathlib import Path

import yaml
from tiny_dump import TASKS
from tiny_ssl import make_ssl
from wave_dump import make_wave_dump

from espnet2_ext.data.check_tasks import check_tasks, write_task_stats
from espnet2_ext.mtl.task_spec import load_task_spec

RAW = {"name": "raw", "sample_rate": 16000}


def make_ssl_experiment(root: Path, n_train: int = 24, n_dev: int = 8) -> list[str]:
    """Write dumps, tasks.yaml, statistics and the model (two layers) below `root`; return the training options."""
    make_ssl(root / "tiny_model", num_hidden_layers=2)
    make_wave_dump(root / "dump/train", n_train, 0, "tr", RAW)
    make_wave_dump(root / "dump/dev", n_dev, 1, "dv", RAW)
    (root / "tasks.yaml").write_text(yaml.safe_dump(TASKS))
    stats = check_tasks(load_task_spec(root / "tasks.yaml"), root / "dump/train", [root / "dump/dev"])
    write_task_stats(stats, root / "task_stats.yaml")
    return [
        "--task_config", f"{root}/tasks.yaml", "--train_dir", f"{root}/dump/train", "--valid_dir", f"{root}/dump/dev",
        "--task_stats", f"{root}/task_stats.yaml", "--encoder", "ssl", "--encoder_conf", f"model={root}/tiny_model",
        "--normalize", "none", "--crop_conf", "{frames: 1600, padding: zero}", "--encoder_lr", "0.001",
        "--optim_conf", "lr=0.005", "--batch_size", "8", "--max_epoch", "2", "--use_tensorboard", "false",
    ]  # fmt: skip
