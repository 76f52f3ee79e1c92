"""What fine-tuning wav2vec2-base (random weights) with our trainer costs over a bare loop with transformers.

The bare loop is transformers' own model with its masks, the mean over frames, one linear layer for all outputs, mean
squared error, AdamW. Ours is the encoder `ssl` with the same options, four tasks weighted by DRUW, train_epoch with its
log. Both take turns within one run; batches are 8 clips of 2.5 s without padding.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from bench_trainer import DEVICE, GRAD_CLIP, Batches, finish, our_loop, quiet
from table import print_rows

from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.train.optimise import parameter_groups

BATCH, SAMPLES, RATE = 8, 40000, 16000
DIMENSIONS = {"a": 1, "b": 2, "c": 10, "d": 40}
STEPS, ROUNDS = (20, 8) if DEVICE == "cuda" else (1, 5)
MASKS = {"mask_time_prob": 0.05, "mask_feature_prob": 0.05}


def rows() -> list[tuple[str, str]]:
    """Return (what, figure) pairs."""
    formats = {"float32": False, "bfloat16": True} if DEVICE == "cuda" else {"float32": False}
    found = []
    with tempfile.TemporaryDirectory() as folder, quiet():
        _write_model(Path(folder))
        for name, use_amp in formats.items():
            found += _compare(Path(folder), name, use_amp)
    return found


def _compare(folder: Path, name: str, use_amp: bool) -> list[tuple[str, str]]:
    batch = {"feats": 0.1 * torch.randn(BATCH, SAMPLES, 1)}
    batch |= {task: torch.rand(BATCH, size) for task, size in DIMENSIONS.items()}
    batch = {key: value.to(DEVICE) for key, value in batch.items()}
    loops = {"bare": _bare_loop(folder, batch, use_amp), "ours": _our_loop(folder, batch, use_amp)}
    for loop in loops.values():
        loop()
    seconds: dict[str, list[float]] = {key: [] for key in loops}
    for _ in range(ROUNDS):
        for key, loop in loops.items():
            start = time.perf_counter()
            loop()
            seconds[key].append((time.perf_counter() - start) / STEPS)
    bare, ours = (statistics.median(seconds[key]) for key in ("bare", "ours"))
    audio = BATCH * SAMPLES / RATE
    return [
        (
            f"bare step with transformers on {DEVICE}, {name}",
            f"{1e3 * bare:.1f} ms, {audio / bare:.0f} s of audio a second",
        ),
        (
            f"train_epoch with the encoder ssl on {DEVICE}, {name}",
            f"{1e3 * ours:.1f} ms, {ours / bare:.3f} of the bare step",
        ),
    ]


def _write_model(folder: Path) -> None:
    config = transformers.Wav2Vec2Config(layerdrop=0.0, vocab_size=32, **MASKS)
    torch.manual_seed(0)
    transformers.Wav2Vec2Model(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)


def _our_model(folder: Path) -> ESPnetMTLModel:
    torch.manual_seed(0)
    tasks = [
        {"name": name, "type": "regression", "dimensions": [f"{name}{i}" for i in range(size)], "loss": "mse"}
        for name, size in DIMENSIONS.items()
    ]
    config = {
        "task_spec": {"tasks": tasks}, "input_size": 1, "encoder": "ssl",
        "encoder_conf": {"model": str(folder), **MASKS},
        "normalize": None, "normalize_conf": {}, "weighting": "druw", "weighting_conf": {}, "head_conf": {},
        "channels_last": False, "compile_encoder": False,
    }  # fmt: skip
    return build_model(config).to(DEVICE)


def _our_loop(folder: Path, batch: dict[str, torch.Tensor], use_amp: bool) -> Callable[[], None]:
    model = _our_model(folder)
    optimizer = torch.optim.AdamW(parameter_groups(model.named_parameters(), 1e-5, None, None), lr=1e-3, fused=True)
    return our_loop(model, optimizer, Batches(batch, STEPS), "--use_amp", str(use_amp).lower())


def _bare_loop(folder: Path, batch: dict[str, torch.Tensor], use_amp: bool) -> Callable[[], None]:
    encoder = transformers.Wav2Vec2Model.from_pretrained(folder).to(DEVICE).train()
    encoder.freeze_feature_encoder()
    head = torch.nn.Linear(encoder.config.hidden_size, sum(DIMENSIONS.values())).to(DEVICE)
    parameters = [p for p in (*encoder.parameters(), *head.parameters()) if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-5, fused=True)
    wave, target = batch["feats"].squeeze(2), torch.cat([batch[name] for name in DIMENSIONS], dim=1)

    def loop() -> None:
        for _ in range(STEPS):
            with torch.autocast(DEVICE, torch.bfloat16, enabled=use_amp):
                mean, variance = wave.mean(1, keepdim=True), wave.var(1, keepdim=True)
                state = encoder((wave - mean) / (variance + 1e-7).sqrt()).last_hidden_state
                output = head(state.mean(dim=1))
            torch.nn.functional.mse_loss(output.float(), target).backward()
            torch.nn.utils.clip_grad_norm_(parameters, GRAD_CLIP)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        finish()

    return loop


if __name__ == "__main__":
    print_rows(rows())
