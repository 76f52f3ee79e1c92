"""Encoders: padding changes nothing, exits carry what they should, sizes are those of the papers."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from espnet2_ext.mtl.encoder import CNN10, CNN14, ENCODERS, AbsEncoder, MultiExitCNN, ResNet18
from espnet2_ext.mtl.encoder.abs_encoder import used_exits

ON_FEATURES = sorted(set(ENCODERS) - {"ssl", "emo18", "audio_visual", "hidden_states"})  # which have tests of their own
CONVOLUTIONAL = sorted(set(ON_FEATURES) - {"mlp"})
LENGTHS = (64, 41, 33, 32, 17, 5, 2, 1)


def build(name: str, norm: str, input_size: int = 16, exits: tuple[int | None, ...] = (None,)) -> AbsEncoder:
    torch.manual_seed(0)
    encoder = ENCODERS[name](input_size, exits, channels=(8, 16, 16), norm=norm).double()
    # Statistics other than 0 and 1, biases other than 0, so that a padded frame is not zero by chance.
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d | torch.nn.GroupNorm):
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.normal_()
    return encoder.eval()


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_padded_batch_equals_single_utterances(name: str, norm: str) -> None:
    exits = (1, 2, 3) if name == "multi_exit_cnn" else (1,)
    encoder = build(name, norm, exits=exits)
    generator = torch.Generator().manual_seed(1)
    utterances = [torch.randn(n, 16, generator=generator, dtype=torch.float64) for n in LENGTHS]
    # What lies past the length is anything.
    feats = 100 * torch.randn(len(LENGTHS), 70, 16, generator=generator, dtype=torch.float64)
    for row, utterance in zip(feats, utterances, strict=True):
        row[: len(utterance)] = utterance
    together = encoder(feats, torch.tensor(LENGTHS))
    for row, utterance in enumerate(utterances):
        alone = encoder(utterance.unsqueeze(0))
        assert alone.keys() == together.keys()
        for number in alone:
            torch.testing.assert_close(together[number][row], alone[number][0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_lengths_of_full_rows_change_nothing(norm: str) -> None:
    encoder = build("multi_exit_cnn", norm)
    feats = torch.randn(2, 24, 16, dtype=torch.float64)
    torch.testing.assert_close(encoder(feats, torch.tensor([24, 24]))[3], encoder(feats)[3], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_frames_of_blocks_are_means_over_frequency(norm: str) -> None:
    """The exit's own pooling of its frames is its embedding; a padded batch has the frames of single utterances."""
    encoder = build("multi_exit_cnn", norm, exits=(1, 3))
    feats = torch.randn(2, 40, 16, dtype=torch.float64)
    frames = encoder.frames(feats, torch.tensor([40, 21]))
    assert {n: (*x.shape, *lengths.tolist()) for n, (x, lengths) in frames.items()} == {
        1: (2, 20, 8, 20, 10),
        3: (2, 5, 16, 5, 2),
    }
    assert (encoder.frame_size(1), encoder.frame_size(3)) == (8, 16)
    alone = encoder.frames(feats[1:, :21])
    for number, valid in ((1, 10), (3, 2)):
        assert alone[number].lengths is None
        torch.testing.assert_close(frames[number].x[1, :valid], alone[number].x[0], rtol=1e-9, atol=1e-9)
        x = alone[number].x
        pooled = encoder.exit_layers[str(number)].linear(x.amax(dim=1) + x.mean(dim=1)).relu()
        torch.testing.assert_close(encoder(feats[1:, :21])[number], pooled, rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="exit 0"):
        encoder.frame_size(0)
    encoder.drop_pooling()
    assert not any("exit" in name for name in encoder.state_dict())


def touched(encoder: AbsEncoder, number: int) -> set[str]:
    """Parameters with a gradient from the embedding of one exit."""
    encoder.zero_grad()
    encoder(torch.randn(2, 32, 16, dtype=torch.float64))[number].sum().backward()
    return {name for name, p in encoder.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}


def test_a_task_touches_the_blocks_up_to_its_exit_only() -> None:
    encoder = build("multi_exit_cnn", "batch", exits=(1, 3, 1)).train()
    everything = {name for name, _ in encoder.named_parameters()}
    first, last = touched(encoder, 1), touched(encoder, 3)
    assert {name.split(".")[0] + "." + name.split(".")[1] for name in first} == {"blocks.0", "exit_layers.1"}
    assert last == {name for name in everything if not name.startswith("exit_layers.1")}


def test_nothing_is_built_beyond_the_deepest_exit() -> None:
    encoder = build("multi_exit_cnn", "batch", exits=(1, 2))
    assert encoder.exits == (1, 2)
    assert len(encoder.blocks) == 2
    assert [encoder.output_size(number) for number in (1, 2)] == [8, 16]
    embeddings = encoder(torch.randn(3, 20, 16, dtype=torch.float64))
    assert {number: tuple(e.shape) for number, e in embeddings.items()} == {1: (3, 8), 2: (3, 16)}


def test_exits_are_resolved() -> None:
    assert used_exits([None, 1, 1, 3], 5) == (1, 3, 5)
    assert used_exits([1, "learnt"], 4) == (1, 2, 3, 4)
    for bad in ([6], [0], [-1, 2]):
        with pytest.raises(ValueError, match="exits 1 to 5"):
            used_exits(bad, 5)


@pytest.mark.parametrize("encoder", [CNN10, CNN14, ResNet18])
def test_plain_trunks_have_one_exit(encoder: type[AbsEncoder]) -> None:
    with pytest.raises(ValueError, match="exits 1 to 1"):
        encoder(16, [2], channels=(4,))


# PANNs' own totals without front end and without the layer of 527 classes: CNN10 4.95 M, CNN14 79.69 M (paper, table).
@pytest.mark.parametrize(("encoder", "millions"), [(CNN10, 4.95), (CNN14, 79.69)])
def test_parameter_counts_of_panns(encoder: type[AbsEncoder], millions: float) -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in encoder(64, [None]).parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.01)


def test_parameter_count_of_resnet18() -> None:
    """torchvision's ResNet18 has 11,689,512 parameters; less its 1000 classes, and two of its three input channels."""
    with torch.device("meta"):
        count = sum(p.numel() for p in ResNet18(64, [None]).parameters())
    assert count == 11_689_512 - (512 * 1000 + 1000) - 2 * 64 * 7 * 7
    assert (count + 512 * 10 + 10) / 1e6 == pytest.approx(11.18, abs=0.005)  # the paper's, with ten outputs


def test_parameter_count_of_the_multi_exit_cnn() -> None:
    """By hand: two 3x3 convolutions without bias and two norms a block, a square linear layer an exit."""
    channels = [1, 64, 128, 256, 512, 1024]
    blocks = sum(9 * (i * o + o * o) + 4 * o for i, o in itertools.pairwise(channels))
    exits = sum(c * c + c for c in (64, 256, 1024))
    with torch.device("meta"):
        count = sum(p.numel() for p in MultiExitCNN(64, [5, 1, 3]).parameters())
    assert count == blocks + exits


def test_exit_pools_as_numpy() -> None:
    """Mean over frequency, max + mean over time, linear layer, ReLU."""
    encoder = build("multi_exit_cnn", "batch", exits=(1,))
    feats = torch.randn(2, 24, 16, dtype=torch.float64)
    maps, _ = encoder.blocks[0](feats.unsqueeze(1))
    x = maps.detach().numpy().mean(3)
    layer = encoder.exit_layers["1"].linear
    pooled = x.max(2) + x.mean(2)
    expected = np.maximum(pooled @ layer.weight.detach().numpy().T + layer.bias.detach().numpy(), 0)
    np.testing.assert_allclose(encoder(feats)[1].detach().numpy(), expected, rtol=1e-10, atol=1e-12)


def test_block_is_two_convolutions_norms_and_a_mean_of_four() -> None:
    encoder = build("multi_exit_cnn", "batch", exits=(1,))
    block = encoder.blocks[0]
    x = torch.randn(1, 1, 6, 5, dtype=torch.float64)

    def conv(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        out = np.zeros((weight.shape[0], *x.shape[1:]))
        for dt in range(3):
            for df in range(3):
                patch = padded[:, dt : dt + x.shape[1], df : df + x.shape[2]]
                out += np.einsum("oi,itf->otf", weight[:, :, dt, df], patch)
        return out

    def norm(x: np.ndarray, module: torch.nn.BatchNorm2d) -> np.ndarray:
        tensors = (module.running_mean, module.running_var, module.weight, module.bias)
        mean, var, weight, bias = (t.detach().numpy()[:, None, None] for t in tensors)
        return np.maximum((x - mean) / np.sqrt(var + module.eps) * weight + bias, 0)

    y = norm(conv(x[0].numpy(), block.conv1.weight.detach().numpy()), block.norm1)
    y = norm(conv(y, block.conv2.weight.detach().numpy()), block.norm2)
    expected = y[:, :6, :4].reshape(8, 3, 2, 2, 2).mean((2, 4))
    np.testing.assert_allclose(block(x)[0][0].detach().numpy(), expected, rtol=1e-10, atol=1e-12)


def test_resnet18_is_the_one_of_the_paper() -> None:
    """Table 1 of He et al., written out: 7x7/2, 3x3/2 maximum, [3x3, 3x3] x 2 with strides 1, 2, 2, mean."""
    encoder = build("resnet18", "batch")
    state = iter([t.detach() for name, t in encoder.state_dict().items() if "num_batches" not in name])

    def conv_norm(x: Tensor, stride: int) -> Tensor:
        weight = next(state)
        scale, shift, mean, variance = (next(state)[:, None, None] for _ in range(4))
        x = torch.nn.functional.conv2d(x, weight, stride=stride, padding=weight.size(2) // 2)
        return (x - mean) / (variance + 1e-5).sqrt() * scale + shift

    feats = torch.randn(2, 37, 16, dtype=torch.float64)
    x = torch.nn.functional.max_pool2d(conv_norm(feats[:, None], 2).relu(), 3, 2, 1)
    for stride, widens in ((1, False), (1, False), (2, True), (1, False), (2, True), (1, False)):
        y = conv_norm(conv_norm(x, stride).relu(), 1)
        x = ((conv_norm(x, stride) if widens else x) + y).relu()
    assert next(state, None) is None
    assert x.shape == (2, 16, 3, 1)
    torch.testing.assert_close(encoder(feats)[1], x.mean((2, 3)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ON_FEATURES)
@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_short_clips_have_an_embedding(name: str, frames: int) -> None:
    exits = (5,) if name == "multi_exit_cnn" else (1,)
    encoder = ENCODERS[name](8, exits, channels=(4,) * 6).eval()
    (embedding,) = encoder(torch.randn(2, frames, 8)).values()
    assert embedding.shape == (2, 4)
    assert embedding.isfinite().all()


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_gradients_pass_through_padding(norm: str) -> None:
    encoder = build("multi_exit_cnn", norm).train()
    feats = torch.randn(3, 20, 16, dtype=torch.float64, requires_grad=True)
    encoder(feats, torch.tensor([20, 9, 1]))[3].sum().backward()
    assert feats.grad.isfinite().all()
    if norm == "group":  # batch normalisation counts frames past the length while training
        assert not feats.grad[1, 9:].any()
        assert not feats.grad[2, 1:].any()


def outputs(encoder: AbsEncoder, feats: Tensor) -> list[Tensor]:
    encoder.zero_grad()
    embedding = encoder(feats)[3]
    embedding.square().sum().backward()
    return [embedding.detach(), *(p.grad.clone() for p in encoder.parameters())]


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_channels_last_gives_the_same_numbers(norm: str) -> None:
    encoder = build("multi_exit_cnn", norm).float().train()
    feats = torch.randn(4, 40, 16)
    plain = outputs(encoder, feats)
    encoder.to(memory_format=torch.channels_last)
    assert encoder.blocks[1].conv2.weight.is_contiguous(memory_format=torch.channels_last)
    for one, two in zip(plain, outputs(encoder, feats), strict=True):
        torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-5 * one.abs().max().item())


@pytest.mark.parametrize(
    ("conf", "expected"),
    [({"norm": "layer"}, "batch or group"), ({"channels": ()}, "exit 0"), ({"dropout": 2}, "drop")],
)
def test_impossible_options(conf: dict, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        MultiExitCNN(16, [None], **conf)


@pytest.mark.parametrize("encoder", [MultiExitCNN, ResNet18])
def test_no_bins(encoder: type[AbsEncoder]) -> None:
    with pytest.raises(ValueError, match="input_size 0"):
        encoder(0, [None])
