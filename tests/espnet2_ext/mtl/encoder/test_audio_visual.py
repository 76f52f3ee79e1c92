"""The network on waves and faces: shapes of the paper, equality with torchvision, lengths, missing video."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import AudioVisual
from espnet2_ext.mtl.encoder.face_network import FaceNetwork
from espnet2_ext.mtl.encoder.image_weights import load_image_weights
from espnet2_ext.mtl.encoder.wave_network import WaveNetwork
from espnet2_ext.mtl.streams import StreamInput, check_streams

HOP, SIZE = 8, 16
SMALL: dict[str, Any] = {
    "hop": HOP, "lstm_cells": 6, "wave_conf": {"filters": 4, "short_taps": 4, "long_taps": 6, "channel_pool": 2},
    "face_conf": {"network": "resnet18", "width": 4, "size": SIZE},
}  # fmt: skip


def build(seed: int = 0, **conf: Any) -> AudioVisual:
    torch.manual_seed(seed)
    encoder = AudioVisual(1, [None], **{**SMALL, **conf}).double()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    for parameter in encoder.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)  # biases start from 0
    return encoder.eval()


def pictures(rows: int, frames: int, lengths: list[int], seed: int = 1) -> dict[str, StreamInput]:
    generator = torch.Generator().manual_seed(seed)
    data = torch.randint(0, 256, (rows, frames, 3 * SIZE**2), generator=generator, dtype=torch.uint8)
    return {"video": StreamInput(data, torch.tensor(lengths))}


def test_shapes_of_the_paper() -> None:
    """96,000 samples are 150 frames of 40 ms: 320 steps at 8 kHz of 40 / 10 channels, and 2,048 values of ResNet-50."""
    encoder = AudioVisual(1, [None, 1])
    assert tuple(encoder.audio.short_conv.weight.shape) == (40, 1, 80)
    assert tuple(encoder.audio.long_conv.weight.shape) == (40, 40, 4000)
    assert (encoder.audio.output_size, encoder.video.output_size) == (320 * 4, 2048)
    assert (encoder.lstm.input_size, encoder.lstm.hidden_size, encoder.lstm.num_layers) == (1280 + 2048, 256, 2)
    assert encoder.dropout.p == 0.5
    assert encoder.output_size(1) == 256
    assert encoder.streams == {"video": 640}
    with torch.no_grad():
        assert encoder.audio(torch.zeros(1, 96000, 1)).shape == (1, 150, 1280)


@pytest.mark.parametrize(("network", "parameters"), [("resnet18", 11689512), ("resnet50", 25557032)])
def test_torchvisions_network(network: str, parameters: int) -> None:
    """Names and shapes as torchvision's, whose published numbers of parameters count the layer of 1,000 classes."""
    own, theirs = FaceNetwork(network), getattr(torchvision.models, network)(weights=None)
    state = {name: value for name, value in theirs.state_dict().items() if not name.startswith("fc.")}
    assert sum(p.numel() for p in own.parameters()) + 1000 * (own.output_size + 1) == parameters
    own.load_state_dict(state, strict=True)
    faces = torch.randint(0, 256, (2, 96, 96, 3), dtype=torch.uint8)
    images = torchvision.transforms.functional.normalize(
        faces.permute(0, 3, 1, 2) / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    )
    theirs.fc = torch.nn.Identity()
    with torch.no_grad():
        torch.testing.assert_close(own.eval()(faces.flatten(1)), theirs.eval()(images), rtol=1e-4, atol=1e-4)


def naive_frames(network: WaveNetwork, wave: np.ndarray) -> np.ndarray:
    """Loops of the definition, in float64: filters with `same` padding, ReLU, both poolings, 40 ms in one row."""

    def layer(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        taps = weight.shape[2]
        padded = np.pad(x, ((0, 0), ((taps - 1) // 2, taps // 2)))
        y = np.array([[(w * padded[:, t : t + taps]).sum() + b for t in range(x.shape[1])]
                      for w, b in zip(weight, bias, strict=True)])  # fmt: skip
        return np.maximum(y, 0)

    short, long = (
        [p.detach().numpy() for p in (conv.weight, conv.bias)] for conv in (network.short_conv, network.long_conv)
    )
    x = layer(wave[None], *short)
    x = x.reshape(len(x), -1, 2).max(axis=2)
    x = layer(x, *long)
    x = x.reshape(-1, 2, x.shape[1]).max(axis=1)
    return np.stack([x[:, t : t + HOP // 2].T.ravel() for t in range(0, x.shape[1], HOP // 2)])


def test_wave_network_against_loops() -> None:
    network = build(modalities=["audio"]).audio
    wave = np.random.default_rng(0).normal(size=5 * HOP)
    found = network(torch.from_numpy(wave)[None, :, None])[0].detach().numpy()
    assert found.shape == (5, HOP // 2 * 2)
    assert (found > 0).any()
    np.testing.assert_allclose(found, naive_frames(network, wave), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("modalities", [["audio"], ["video"], ["audio", "video"]])
def test_padded_batch_equals_single_utterances(modalities: list[str], pooling: str) -> None:
    encoder = build(modalities=modalities, pooling=pooling)
    lengths = [40, 33, 17, 8, 3]
    feats = torch.randn(5, 44, 1, dtype=torch.float64)  # what lies past the length is anything
    frames = [-(-n // HOP) for n in lengths]
    streams = pictures(5, 6, frames)
    together = encoder(feats, torch.tensor(lengths), *([streams] if encoder.streams else []))[1]
    for row, (n, t) in enumerate(zip(lengths, frames, strict=True)):
        video = StreamInput(streams["video"].rows[row : row + 1, :t], torch.tensor([t]))
        alone = encoder(feats[row : row + 1, :n], None, *([{"video": video}] if encoder.streams else []))[1]
        torch.testing.assert_close(together[row], alone[0], rtol=1e-9, atol=1e-9)


def test_missing_video_is_zeros_of_its_vectors() -> None:
    encoder = build()
    feats = torch.randn(3, 24, 1, dtype=torch.float64)
    some = encoder(feats, None, pictures(3, 3, [3, 0, 3]))[1]
    none = encoder(feats, None, {})[1]
    torch.testing.assert_close(some[1], none[1], rtol=1e-10, atol=1e-10)
    assert not torch.allclose(some[0], none[0])
    nothing = torch.zeros(3, 3, encoder.video.output_size, dtype=torch.float64)
    vectors = torch.cat([encoder.audio(feats), nothing], dim=2)
    torch.testing.assert_close(none, encoder.lstm(vectors)[0][:, -1], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(none, encoder(feats, None, pictures(3, 3, [0, 0, 0]))[1], rtol=1e-10, atol=1e-10)


def test_a_batch_without_video_still_has_all_gradients() -> None:
    encoder = build().train()
    encoder(torch.randn(2, 16, 1, dtype=torch.float64), None, pictures(2, 2, [0, 0]))[1].sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
    assert not any(p.grad.any() for p in encoder.video.parameters())


def test_batch_norm_counts_real_pictures_only() -> None:
    streams = pictures(2, 3, [2, 0])
    one, two = build().train(), build().train()
    one(torch.randn(2, 24, 1, dtype=torch.float64), torch.tensor([16, 24]), streams)
    two.video(streams["video"].rows[0, :2])
    torch.testing.assert_close(one.video.bn1.running_mean, two.video.bn1.running_mean, rtol=1e-12, atol=1e-12)


def parts_kept(encoder: AudioVisual, streams: dict[str, StreamInput], rows: int) -> tuple[Tensor, Tensor]:
    """Which rows keep audio, and which video."""
    ones = [torch.ones(rows, 1, 1), torch.ones(rows, 1, 1)]
    audio, video = encoder._drop(ones, streams.get("video"))
    return audio.flatten().bool(), video.flatten().bool()


def test_modality_dropout_takes_one_of_two() -> None:
    encoder = build(modality_dropout=0.5)
    torch.manual_seed(0)
    audio, video = parts_kept(encoder, pictures(4000, 1, [1] * 4000), 4000)
    assert (audio | video).all()
    # 1,000 rows in the mean lose either, with a deviation of 27.
    assert 890 < (~audio).sum() < 1110
    assert 890 < (~video).sum() < 1110
    audio, _ = parts_kept(encoder, pictures(500, 1, [0] * 500), 500)
    assert audio.all()  # what has no video keeps its audio
    assert parts_kept(encoder, {}, 500)[0].all()


def test_lstm_starts_gate_by_gate() -> None:
    """Glorot's uniform law: within sqrt(6 / (inputs + cells)), with variance 2 / (inputs + cells)."""
    torch.manual_seed(0)
    lstm = AudioVisual(1, [None], modalities=["audio"], wave_conf={"long_taps": 8}).lstm
    assert not any(p.any() for name, p in lstm.named_parameters() if name.startswith("bias"))
    for gate in lstm.weight_ih_l0.detach().chunk(4):
        total = 1280 + 256
        assert gate.abs().max() <= (6 / total) ** 0.5
        assert gate.var().item() == pytest.approx(2 / total, rel=0.02)


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"modalities": ["smell"]}, "modalities: a list of audio, video or both"),
        ({"modalities": []}, "modalities: a list"),
        ({"modalities": "audio"}, "modalities: a list"),
        ({"pooling": "first"}, "pooling is last or mean"),
        ({"modality_dropout": 2}, "give a probability"),
        ({"modalities": ["audio"], "modality_dropout": 0.1}, "one modality only"),
        ({"hop": 7}, "a multiple of time_pool 2"),
        ({"wave_conf": {"filters": 0}}, "filters 0: give a whole number"),
        ({"face_conf": {"network": "resnet34"}}, "network is resnet18 or resnet50"),
    ],
)
def test_impossible_options(conf: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AudioVisual(1, [None], **{**SMALL, **conf})


def test_it_takes_waves() -> None:
    with pytest.raises(ValueError, match="takes waves, `name: raw`"):
        AudioVisual(64, [None], **SMALL)


def test_pictures_of_another_size() -> None:
    encoder = build(face_conf=SMALL["face_conf"] | {"size": 8})
    with pytest.raises(UserError, match="768 bytes are no picture of size 8"):
        encoder(torch.zeros(1, 8, 1, dtype=torch.float64), None, pictures(1, 1, [1]))


def test_streams_must_be_the_encoders() -> None:
    encoder = build()
    check_streams(encoder, {"video": HOP})
    for given in ({}, {"video": 640}):
        with pytest.raises(UserError, match=r"set streams: \{video: \{hop: 8\}\}"):
            check_streams(encoder, given)
    with pytest.raises(UserError, match="lips: this encoder does not take it"):
        check_streams(encoder, {"video": HOP, "lips": HOP})
    assert build(modalities=["audio"]).streams == {}


def test_weights_of_torchvision(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    encoder = AudioVisual(1, [None], **{**SMALL, "face_conf": {"network": "resnet18"}})
    assert encoder.new_parameters == ()
    load_image_weights(encoder, tmp_path / "resnet18.pth")
    torch.testing.assert_close(encoder.video.layer3[1].conv2.weight, theirs.layer3[1].conv2.weight, rtol=0, atol=0)
    new = {name for name, _ in encoder.named_parameters()} - {f"video.{n}" for n, _ in encoder.video.named_parameters()}
    assert set(encoder.new_parameters) == new
    torch.save({"conv1.weight": torch.zeros(2)}, tmp_path / "other.pth")
    for path, message in ((tmp_path / "none.pth", "no such file"), (tmp_path / "other.pth", "does not fit this model")):
        with pytest.raises(UserError, match=message):
            load_image_weights(encoder, path)
    with pytest.raises(UserError, match="takes no video"):
        load_image_weights(build(modalities=["audio"]), tmp_path / "resnet18.pth")
