"""Augmented training batches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_dump import N_BINS, TASKS, make_dump
from wave_dump import make_wave_dump

from espnet2_ext.data.augment import build_augmentations
from espnet2_ext.data.augment.spec_augment import SpecAugment
from espnet2_ext.data.augmented_dataset import AugmentedDataset
from espnet2_ext.data.crop import Crop
from espnet2_ext.data.dataset import Item, MTLDataset, keep_batch
from espnet2_ext.data.sampler import EpochBatchSampler
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.mtl.task_spec import task_spec_from_dict

SPEC = task_spec_from_dict(TASKS)
LOG_MEL = {"name": "log_mel", "n_mels": 12}
EVERYTHING = [
    {"name": "speed"}, {"name": "noise", "probability": 0.5}, {"name": "gain"}, {"name": "mixup", "domain": "linear"},
    {"name": "spec_augment", "max_freq_bins": 3},
]  # fmt: skip


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features") / "dump"
    make_dump(folder, 9, 0, "tr")
    return folder


@pytest.fixture(scope="module")
def wave_dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("waves") / "dump"
    make_wave_dump(folder, 9, 0, "tr", LOG_MEL)
    return folder


def make(dump: Path, *conf: dict[str, Any], **crop: Any) -> AugmentedDataset:
    return AugmentedDataset(dump, SPEC, Crop(**{"frames": 20, **crop}), build_augmentations(list(conf)))


def items(n: int = 9, seed: int = 0) -> list[Item]:
    rng = np.random.default_rng(seed)
    return [Item(i % 9, float(rng.random()), int(rng.integers(2**63))) for i in range(n)]


def assert_same(one: Any, two: Any, **tolerance: float) -> None:
    (utts, batch), (others, other) = one, two
    assert utts == others
    assert batch.keys() == other.keys()
    for name, value in batch.items():
        torch.testing.assert_close(
            value, other[name], equal_nan=True, **(tolerance or {"rtol": 0, "atol": 0}), msg=name
        )


@pytest.mark.parametrize("padding", ["repeat", "zero"])
def test_probability_0_is_no_augmentation(wave_dump: Path, padding: str) -> None:
    """Waves are read and features made of them while training: those of the ark, to the bit."""
    never = [{**conf, "probability": 0} for conf in EVERYTHING if conf["name"] != "mixup"]
    plain = MTLDataset(wave_dump, SPEC, Crop(frames=50, padding=padding), train=True)
    assert_same(make(wave_dump, *never, frames=50, padding=padding).__getitems__(items()), plain.__getitems__(items()))


def test_unmixed_rows_are_the_utterances(dump: Path) -> None:
    _, batch = make(dump, {"name": "mixup", "probability": 0}).__getitems__(items())
    _, plain = MTLDataset(dump, SPEC, Crop(frames=20), train=True).__getitems__(items())
    for name in ("feats", "emotion", "age"):
        torch.testing.assert_close(batch[name], plain[name], rtol=0, atol=0, equal_nan=True)
    known = plain["country"] >= 0
    assert 0 < known.sum() < 9
    assert batch["country"].shape == (9, 2)
    assert batch["country"][~known].isnan().all()
    assert torch.equal(batch["country"][known].argmax(1), plain["country"][known])
    assert torch.equal(batch["country"][known].sum(1), torch.ones(int(known.sum())))


@pytest.mark.parametrize("feature", ["raw", "kaldi_fbank"])
def test_other_features_of_unchanged_waves(tmp_path: Path, feature: str) -> None:
    """A gain of 0 dB makes a new wave, and all goes the whole way; raw features need no wav.scp."""
    make_wave_dump(tmp_path / "d", 5, 1, "tr", {"name": feature})
    if feature == "raw":
        (tmp_path / "d/wav.scp").unlink()
    frames = 4000 if feature == "raw" else 30
    unchanged = make(tmp_path / "d", {"name": "gain", "min_db": 0, "max_db": 0}, frames=frames)
    plain = MTLDataset(tmp_path / "d", SPEC, Crop(frames=frames), train=True)
    assert_same(unchanged.__getitems__(items(5)), plain.__getitems__(items(5)))


def test_a_row_depends_on_its_item_alone(wave_dump: Path) -> None:
    """Not on its batch, nor on what was asked before: so on no rank, worker or resume."""
    dataset = make(wave_dump, *EVERYTHING)
    rows = items(18)
    _, whole = dataset.__getitems__(rows)
    for number in (0, 7, 17):
        _, alone = dataset.__getitems__(rows[number : number + 1])
        for name, value in alone.items():
            torch.testing.assert_close(value[0], whole[name][number], rtol=0, atol=0, equal_nan=True)
    # The same utterance at another place is another mixture.
    assert rows[0].number == rows[9].number
    assert not torch.equal(whole["feats"][0], whole["feats"][9])


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_give_the_same_batches(wave_dump: Path, workers: int) -> None:
    def batches(n: int) -> list[Any]:
        sampler = EpochBatchSampler(9, 4, 3)
        loader = torch.utils.data.DataLoader(
            make(wave_dump, *EVERYTHING), batch_sampler=sampler, collate_fn=keep_batch, num_workers=n
        )
        return list(loader)

    for one, two in zip(batches(0), batches(workers), strict=True):
        assert_same(one, two)


def test_mixture_by_hand(dump: Path) -> None:
    """With utterances of two constant frames each, the mixture tells partner and weight; labels must agree."""
    dataset = make(dump, {"name": "mixup", "alpha": 1.0})
    n = len(dataset)
    basis = {utt: np.eye(N_BINS + 1, dtype=np.float32)[[i]] for i, utt in enumerate(dataset.utts)}
    dataset._checked = lambda utt, matrix: basis[utt]  # noqa: ARG005
    dataset._read = lambda utt: basis[utt]
    dataset.crop = Crop(frames=1)
    rows = [Item(i % n, 0.0, seed) for i, seed in enumerate(range(50, 50 + 40 * n))]
    feats = np.zeros((len(rows), n))
    partners = set()
    for start in range(0, len(rows), n):
        _, batch = dataset.__getitems__(rows[start : start + n])
        feats = batch["feats"][:, 0].double().numpy()
        np.testing.assert_allclose(feats.sum(axis=1), 1, atol=1e-6)
        for row, weights in enumerate(feats):
            others = [i for i in np.flatnonzero(weights) if i != row]
            assert len(others) == 1
            partners.add((row, others[0]))
            for name in ("emotion", "age"):
                targets = dataset.targets[name].astype(np.float64)
                expected = weights[row] * targets[row] + weights[others[0]] * targets[others[0]]
                np.testing.assert_allclose(batch[name][row].numpy(), expected, rtol=1e-5)
            classes = dataset.targets["country"]
            if min(classes[row], classes[others[0]]) < 0:
                assert batch["country"][row].isnan().all()
            else:
                expected = sum(weights[i] * np.eye(2)[classes[i]] for i in (row, others[0]))
                np.testing.assert_allclose(batch["country"][row].numpy(), expected, rtol=1e-5)
    assert partners == {(i, j) for i in range(n) for j in range(n) if i != j}


def test_masks_lie_in_the_valid_frames_of_the_mixture(dump: Path) -> None:
    conf = {"name": "spec_augment", "n_time_masks": 1, "n_freq_masks": 0, "max_time_fraction": 1.0}
    dataset = make(dump, {"name": "mixup"}, conf, frames=30, padding="zero")
    reader = ArkReader(dump / "feats.scp")
    utts, batch = dataset.__getitems__(items())
    expected = [min(30, len(reader[utt])) for utt in utts]
    assert min(expected) < 30
    assert batch["feats_lengths"].tolist() == expected
    masked = 0
    for feats, length in zip(batch["feats"].numpy(), expected, strict=True):
        assert not feats[length:].any()
        rows, counts = np.unique(feats[:length], axis=0, return_counts=True)
        masked += counts.max() > 1
        if counts.max() > 1:  # a masked frame holds each bin's mean: of the unmasked ones and of itself
            np.testing.assert_array_less(np.abs(rows[counts.argmax()]), 6)
    assert masked >= 5


def test_feature_augmentations_before_mixing_change_both(dump: Path) -> None:
    """Masks that cover all leave the mean over frames of each, and the mixture then is of two constants."""
    conf = {"name": "spec_augment", "n_time_masks": 0, "n_freq_masks": 99, "max_freq_bins": 99}
    _, batch = make(dump, conf, {"name": "mixup", "alpha": 5.0}).__getitems__(items())
    assert (batch["feats"].std(dim=1) < 1e-5).all()


def test_no_augmentation_changes_the_arks_copy(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an augmentation gets is what the crop gives: 20 frames of all bins."""
    shapes = []
    original = SpecAugment.apply

    def noted(self: SpecAugment, feats: np.ndarray, *args: Any) -> np.ndarray:
        shapes.append(feats.shape)
        return original(self, feats, *args)

    monkeypatch.setattr(SpecAugment, "apply", noted)
    make(dump, {"name": "spec_augment"}).__getitems__(items())
    assert shapes == [(20, N_BINS)] * 9


def test_speed_shows_in_the_features(wave_dump: Path) -> None:
    """At half speed the frames are twice as many: the crop of the first ones is that of the first half."""
    slow = make(wave_dump, {"name": "speed", "factors": [0.5]}, frames=200, padding="zero")
    plain = MTLDataset(wave_dump, SPEC, Crop(frames=200, padding="zero"), train=True)
    lengths = [d.__getitems__(items())[1]["feats_lengths"].double() for d in (slow, plain)]
    torch.testing.assert_close(lengths[0] / lengths[1], torch.full((9,), 2.0).double(), rtol=0.05, atol=0)


def test_masks_in_time_are_for_waves_too(tmp_path: Path) -> None:
    make_wave_dump(tmp_path / "d", 3, 0, "tr", {"name": "raw"})
    dataset = make(tmp_path / "d", {"name": "spec_augment", "n_freq_masks": 0, "fill": "zero"}, frames=2000)
    plain = MTLDataset(tmp_path / "d", SPEC, Crop(frames=2000), train=True)
    masked, waves = (d.__getitems__(items(3))[1]["feats"] for d in (dataset, plain))
    assert 0 < (masked != waves).sum() <= 3 * 2 * 40


@pytest.mark.parametrize(
    ("broken", "conf", "expected"),
    [
        ("feature.yaml", {"name": "gain"}, "feature.yaml: cannot be read"),
        ("feature.yaml", {"name": "mixup", "domain": "linear"}, "feature.yaml: cannot be read"),
        ("wav.scp", {"name": "gain"}, "wav.scp: no such file; augment gain changes waves"),
        ("row", {"name": "speed"}, "wav.scp: no utterance tr0-000; run stages 2 and 3 again"),
        ("pipe", {"name": "speed"}, "wav.scp: tr0-000: a shell pipe is not run"),
        ("wav", {"name": "speed"}, "tr0-000.wav: no readable audio"),
        ("raw", {"name": "feature_gain"}, "augment feature_gain: features raw of .* are no logarithms of energies"),
        ("raw", {"name": "mixup", "domain": "linear"}, "augment mixup: features raw of "),
        ("raw", {"name": "spec_augment"}, "augment spec_augment: features of one bin .*; set n_freq_masks: 0"),
        ("one", {"name": "mixup"}, "mixup needs two utterances, there is one"),
    ],
)
def test_what_is_refused(tmp_path: Path, broken: str, conf: dict[str, Any], expected: str) -> None:
    folder = tmp_path / "d"
    feature = {"name": "raw"} if broken == "raw" else LOG_MEL
    make_wave_dump(folder, 3, 0, "tr", feature)
    rows = (folder / "wav.scp").read_text().splitlines()
    if broken in ("feature.yaml", "wav.scp"):
        (folder / broken).unlink()
    if broken == "row":
        (folder / "wav.scp").write_text("\n".join(rows[1:]) + "\n")
    if broken == "pipe":
        (folder / "wav.scp").write_text("\n".join(["tr0-000 touch marker |", *rows[1:]]) + "\n")
    if broken == "one":
        (folder / "feats.scp").write_text((folder / "feats.scp").read_text().splitlines()[0] + "\n")
    if broken == "wav":
        (folder / "wavs/tr0-000.wav").write_text("no sound")
    with pytest.raises(UserError, match=expected) as caught:
        make(folder, conf).__getitems__(items(3))
    assert "\n" not in str(caught.value)
