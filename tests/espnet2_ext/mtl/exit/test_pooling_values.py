"""Attention over frames and branches, by hand in float64."""

import math

import numpy as np
import pytest
import torch
from scipy.special import erf

from espnet2_ext.mtl.encoder.abs_frame_encoder import Frames
from espnet2_ext.mtl.exit.attention_exit import AttentionExit
from espnet2_ext.mtl.exit.branch_exit import BranchExit
from espnet2_ext.mtl.exit.layer_projections import LayerProjections
from espnet2_ext.mtl.exit.shared_attention import SharedAttention

LENGTHS = (6, 3, 1)


def make_frames(sizes: dict[int, int], lengths: tuple[int, ...] | None = LENGTHS) -> dict[int, Frames]:
    """(3, 6, D) by layer; frames past the length are huge."""
    rng = np.random.default_rng(0)
    frames = {}
    for layer, size in sizes.items():
        x = rng.normal(size=(3, 6, size))
        for row, length in enumerate(lengths or ()):
            x[row, length:] = 1e6
        frames[layer] = Frames(torch.from_numpy(x), None if lengths is None else torch.tensor(lengths))
    return frames


def valid(frames: Frames, row: int) -> np.ndarray:
    length = frames.x.size(1) if frames.lengths is None else int(frames.lengths[row])
    return frames.x[row, :length].numpy()


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def array(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().numpy()


def gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + erf(x / math.sqrt(2))) / 2


@pytest.mark.parametrize("lengths", [LENGTHS, None])
def test_attention_over_the_valid_frames(lengths: tuple[int, ...] | None) -> None:
    frames = make_frames({1: 4, 2: 5}, lengths)
    leave = AttentionExit(2, 5).double()
    weight = np.array([0.5, -1.0, 2.0, 0.0, 1.5])
    leave.attention.score.weight.data = torch.from_numpy(weight[None])
    found = leave(frames)
    assert (leave.output_size, found.shape) == (5, (3, 5))
    for row in range(3):
        x = valid(frames[2], row)
        np.testing.assert_allclose(array(found[row]), softmax(x @ weight, 0) @ x, rtol=1e-12)


def test_shared_attention_is_that_of_each_layer() -> None:
    frames = make_frames({1: 4, 2: 5, 3: 4})
    shared = SharedAttention({1: 4, 2: 5}).double()
    alone = AttentionExit(2, 5).double()
    alone.attention.load_state_dict(shared.attentions[1].state_dict())
    found = shared(frames)
    assert list(found) == [1, 2]
    torch.testing.assert_close(found[2], alone(frames), rtol=0, atol=0)


def hand_attention(attention: torch.nn.MultiheadAttention, query: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(T, D) queries over (S, D) keys and values, head by head."""
    weights = np.split(array(attention.in_proj_weight), 3)
    biases = np.split(array(attention.in_proj_bias), 3)
    q, k, v = (y @ w.T + b for y, w, b in zip((query, x, x), weights, biases, strict=True))
    width = q.shape[1] // attention.num_heads
    heads = []
    for head in range(attention.num_heads):
        part = slice(head * width, (head + 1) * width)
        heads.append(softmax(q[:, part] @ k[:, part].T / math.sqrt(width), 1) @ v[:, part])
    return np.hstack(heads) @ array(attention.out_proj.weight).T + array(attention.out_proj.bias)


@pytest.mark.parametrize("lengths", [LENGTHS, None])
def test_branch_by_hand(lengths: tuple[int, ...] | None) -> None:
    """Projections, then x = GELU(LayerNorm(x + attention(next layer, x, x))) over the listed layers, and the mean."""
    torch.manual_seed(0)
    layers, sizes = (0, 2, 5), {0: 4, 2: 6, 5: 6}
    projections, branch = LayerProjections(sizes, 8, 0.3).double().eval(), BranchExit(layers, 8, 2, 0.3).double().eval()
    for parameter in branch.parameters():
        parameter.data.normal_()
    # Layers that are not listed are there, and of no use.
    frames = make_frames(sizes | {3: 6}, lengths)
    found = branch(projections(frames))
    assert (branch.output_size, found.shape) == (8, (3, 8))
    for row in range(3):
        hidden = {
            layer: gelu(valid(frames[layer], row) @ array(linear.weight).T + array(linear.bias))
            for layer, (linear, _, _) in zip(layers, projections.projections, strict=True)
        }
        x = hidden[0]
        for layer, block in zip(layers[1:], branch.blocks, strict=True):
            x = x + hand_attention(block.attention, hidden[layer], x)
            x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + block.norm.eps)
            x = gelu(x * array(block.norm.weight) + array(block.norm.bias))
        np.testing.assert_allclose(array(found[row]), x.mean(0), rtol=1e-9, atol=1e-12)


def test_branch_takes_scaled_dot_product_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    own = torch.nn.functional.scaled_dot_product_attention

    def counted(*args: object, **kwargs: object) -> torch.Tensor:
        calls.append(args[0].shape)
        return own(*args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    branch = BranchExit((1, 2, 3), 8, 4, 0.0).double()
    branch(make_frames({1: 8, 2: 8, 3: 8}))
    assert calls == [(3, 4, 6, 2), (3, 4, 6, 2)]
