"""Small trainings on waves and pictures: weights by hand, missing video, packs, and what is refused."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from av_dump import HOP, SMALL, make_av_dump, make_av_experiment
from train_tiny import complaint, train

from espnet2_ext.bin import mtl_inference, mtl_predict
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.inference.mtl_inference import MTLInference
from espnet2_ext.inference.pack import write_pack
from espnet2_ext.mtl.build import load_trained
from espnet2_ext.mtl.streams import StreamInput

BOTH = ("--streams", f"{{video: {{hop: {HOP}}}}}")
RAW = "name: raw\nsample_rate: 16000\n"


@pytest.fixture(scope="module")
def av_options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    torch.set_num_threads(1)
    return make_av_experiment(tmp_path_factory.mktemp("av"))


def encoder_conf(**more: Any) -> tuple[str, str]:
    return "--encoder_conf", json.dumps(SMALL | more)


@pytest.fixture(scope="module")
def both(av_options: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An experiment on both modalities, and its history."""
    exp = tmp_path_factory.mktemp("both") / "exp"
    more = (*encoder_conf(modality_dropout=0.3), "--optim", "sgd", "--optim_conf", "lr=0.01", "--weighting_lr", "0.05")
    history = train(av_options, exp, *BOTH, *more)
    (exp / "feature.yaml").write_text(RAW)
    return exp, history


@pytest.fixture(scope="module")
def video_only(av_options: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    exp = tmp_path_factory.mktemp("video") / "exp"
    train(av_options, exp, *BOTH, *encoder_conf(modalities=["video"]), "--max_epoch", "1")
    (exp / "feature.yaml").write_text(RAW)
    return exp


def run(main: Callable[[], Any], *arguments: object) -> None:
    """Call a program's entry point."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["program", *map(str, arguments)])
        main()


def predict(exp: Path, dump: Path, out: Path) -> list[dict[str, Any]]:
    """Stage 7."""
    run(mtl_predict.main, "--model", exp, "--dump", dump, "--out", out)
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_dynamic_weights_go_where_float64_says(both: tuple[Path, dict[str, Any]]) -> None:
    """Gradient descent on lambda: d joint / d lambda_k = w_k (L_k - joint), from 0, with each epoch's mean losses.

    An epoch has two steps, whose losses differ from their mean by what the weights move in one step, which is small.
    """
    _, history = both
    logit = np.zeros(2)
    for epoch in ("1", "2"):
        found = history[epoch]["train"]
        losses = np.array([found["loss_emotion"], found["loss_gender"]])
        weights = []
        for _ in range(2):
            w = np.exp(logit) / np.exp(logit).sum()
            weights.append(w)
            logit -= 0.05 * w * (losses - w @ losses)
        wanted = np.mean(weights, axis=0)
        assert [found["weight_emotion"], found["weight_gender"]] == pytest.approx(wanted, abs=2e-4)
    assert wanted[1] > 0.5  # towards the lower loss: gender's, of two classes


def test_prediction_knows_missing_video(
    both: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dump = tmp_path / "dump"
    make_av_dump(dump, 6, 5, "te", without_video=3)
    records = predict(both[0], dump, tmp_path / "with.jsonl")
    assert "2 utterances lack video; predicted without" in capsys.readouterr().err
    (dump / "video.scp").unlink()
    blind = predict(both[0], dump, tmp_path / "without.jsonl")
    assert "6 utterances lack video; predicted without" in capsys.readouterr().err
    for number, (one, two) in enumerate(zip(records, blind, strict=True)):
        same = one["emotion"]["probabilities"] == pytest.approx(two["emotion"]["probabilities"], abs=1e-6)
        assert same == (int(one["utt"][-3:]) % 3 == 0), number


def test_a_pack_hears_alone(
    both: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exp, _ = both
    write_pack(exp, "valid.score.ave.pth", tmp_path / "model.zip")
    inference = MTLInference.from_pretrained(tmp_path / "model.zip")
    dump = tmp_path / "dump"
    make_av_dump(dump, 3, 6, "te")
    (dump / "video.scp").unlink()
    for record in predict(exp, dump, tmp_path / "out.jsonl"):
        wave = ArkReader(dump / "feats.scp")[record["utt"]][:, 0]
        found = inference(wave, 16000)
        assert found["emotion"]["probabilities"] == pytest.approx(record["emotion"]["probabilities"], abs=1e-5)
        assert found["notes"]["missing"] == ["video"]
    soundfile.write(tmp_path / "a.wav", np.zeros(1000), 16000)
    capsys.readouterr()
    run(mtl_inference.main, "--model", tmp_path / "model.zip", "--out", tmp_path / "o.jsonl", tmp_path / "a.wav")
    said = capsys.readouterr().err.splitlines()
    assert said == [f"warning: {tmp_path}/model.zip: was trained with video; predicts from audio alone"]


def test_a_pack_of_video_refuses_audio(video_only: Path, tmp_path: Path) -> None:
    write_pack(video_only, "valid.score.ave.pth", tmp_path / "model.zip")
    with pytest.raises(UserError, match=r"model\.zip: takes video and no audio"):
        MTLInference.from_pretrained(tmp_path / "model.zip")


def test_video_alone_sees_and_does_not_hear(video_only: Path, tmp_path: Path) -> None:
    model, _ = load_trained(video_only / "config.yaml", video_only / "valid.score.ave.pth")
    faces = StreamInput(torch.randint(0, 256, (2, 3, 768), dtype=torch.uint8), torch.tensor([3, 3]))
    with torch.no_grad():
        one = model.outputs(torch.randn(2, 3 * HOP, 1), streams={"video": faces})
        two = model.outputs(torch.randn(2, 3 * HOP, 1), streams={"video": faces})
        other = model.outputs(torch.randn(2, 3 * HOP, 1), streams={"video": faces._replace(rows=faces.rows.flip(1))})
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    assert not torch.allclose(one["emotion"], other["emotion"], rtol=0, atol=1e-7)
    make_av_dump(tmp_path / "dump", 3, 0, "te")
    (tmp_path / "dump/video.scp").unlink()
    with pytest.raises(UserError, match=r"video\.scp: no such file"):
        predict(video_only, tmp_path / "dump", tmp_path / "out.jsonl")


def test_refused(av_options: list[str], options: list[str], tmp_path: Path) -> None:
    assert "for the encoder audio_visual" in complaint(options, tmp_path / "exp", "--image_weights", "w.pth")
    for more, message in (
        ((), r"set streams: {video: {hop: 8}}"),
        ((*BOTH, *encoder_conf(modalities=["audio"])), "this encoder does not take it"),
        (("--streams", "{video: {hop: 3}}"), "set align: 3"),
        ((*BOTH, "--augment", "[{name: gain}]"), "cannot follow augment or twins"),
        ((*BOTH, "--twins", "true"), "cannot follow augment or twins"),
        ((*encoder_conf(modalities=["audio"]), "--image_weights", "w.pth"), "takes no video"),
        ((*BOTH, "--image_weights", str(tmp_path / "none.pth")), "no such file"),
    ):
        assert message in complaint(av_options, tmp_path / "exp", *more), more
