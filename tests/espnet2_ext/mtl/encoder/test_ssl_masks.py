"""Spans that are masked: their number, length, place and distribution."""

import numpy as np
import pytest
import torch
from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices

from espnet2_ext.mtl.encoder.ssl_masks import SpanMasks


def spans(row: torch.Tensor) -> list[int]:
    """Lengths of the runs of true values."""
    edges = torch.diff(torch.nn.functional.pad(row.int(), (1, 1)))
    return ((edges == -1).nonzero() - (edges == 1).nonzero()).flatten().tolist()


def test_number_and_length_of_spans() -> None:
    """0.2 * 100 / 5 = 4 spans exactly; runs are of 5 frames, or of what overlapping spans make: 20 frames at most."""
    torch.manual_seed(0)
    masked = SpanMasks(0.2, 5).draw(torch.full((500,), 100), 100)
    assert all(run >= 5 for row in masked for run in spans(row))
    assert masked.sum(dim=1).max() == 20
    apart = [spans(row) for row in masked if row.sum() == 20]
    assert [5, 5, 5, 5] in apart


def test_number_is_rounded_at_random() -> None:
    """0.1 * 30 / 2 = 1.5: one span in half of the rows, two in the other half (at most 2 * 2 frames)."""
    torch.manual_seed(0)
    masked = SpanMasks(0.1, 2).draw(torch.full((4000,), 30), 30)
    single = (masked.sum(dim=1) == 2).float().mean().item()
    # Two distinct starts of 29 are never the same span, so one span is the only way to 2 frames.
    assert single == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("probability", "span", "least"), [(0.05, 10, 2), (0.3, 4, 0), (0.065, 3, 1)])
def test_distribution_is_that_of_transformers(probability: float, span: int, least: int) -> None:
    """Where rows are equally long, the mean share masked at each place is the same."""
    rows, frames = 6000, 60
    np.random.seed(0)
    # Its rounding is drawn once for a call.
    theirs = [_compute_mask_indices((20, frames), probability, span, min_masks=least) for _ in range(rows // 20)]
    torch.manual_seed(0)
    ours = SpanMasks(probability, span, least).draw(torch.full((rows,), frames), frames).numpy()
    np.testing.assert_allclose(ours.mean(axis=0), np.concatenate(theirs).mean(axis=0), atol=0.035)
    assert ours.mean() == pytest.approx(np.concatenate(theirs).mean(), abs=0.01)


def test_masks_lie_within_the_valid_frames() -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([1, 2, 3, 4, 9, 40])
    masked = torch.stack([SpanMasks(0.5, 4, 2).draw(lengths, 40) for _ in range(200)]).any(dim=0)
    reach = [int(row.nonzero().max()) + 1 if row.any() else 0 for row in masked]
    assert reach == [0, 0, 0, 4, 9, 40]


def test_span_longer_than_the_row_masks_nothing() -> None:
    assert not SpanMasks(1.0, 10, 2).draw(torch.tensor([4, 4]), 4).any()


def test_seeded() -> None:
    lengths = torch.full((3,), 50)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(SpanMasks(0.2, 5).draw(lengths, 50))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize(
    ("values", "text"),
    [((-0.1,), "probability"), ((1.5,), "probability"), ((0.1, 0), "length"), ((0.1, 5, -1), "least")],
)
def test_impossible_values(values: tuple[float, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        SpanMasks(*values)
