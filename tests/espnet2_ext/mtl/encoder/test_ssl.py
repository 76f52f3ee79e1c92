"""The encoder of pretrained models against transformers' and torchaudio's own forward passes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tiny_ssl import FIELD, make_ssl
from torchaudio.models.wav2vec2.utils import import_huggingface_model

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.encoder import SSLEncoder

KINDS = [(kind, large) for kind in ("wav2vec2", "hubert", "wavlm") for large in (True, False)]
SOURCES = ("transformers", "torchaudio")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], tuple[Path, torch.nn.Module]]:
    root = tmp_path_factory.mktemp("models")
    return {key: (root / f"{key[0]}{key[1]}", make_ssl(root / f"{key[0]}{key[1]}", *key)) for key in KINDS}


@pytest.fixture(scope="module")
def folder(models: Any) -> Path:
    return models["wav2vec2", True][0]


@pytest.fixture
def waves() -> torch.Tensor:
    """(2, 700, 1) samples, with an offset and of another size, which standardising takes away."""
    return 0.3 + 0.2 * torch.randn(2, 700, 1, generator=torch.Generator().manual_seed(0))


def build(folder: Path, *exits: int | None, **conf: Any) -> SSLEncoder:
    torch.manual_seed(0)
    return SSLEncoder(1, exits or (None,), model=str(folder), **conf)


def standardised(wave: torch.Tensor, **call: Any) -> dict[str, torch.Tensor]:
    """What transformers' feature extractor makes of (N,) samples each."""
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    rows = [row.numpy().astype(np.float64) for row in wave] if torch.is_tensor(wave) else wave
    return extractor(rows, sampling_rate=16000, return_tensors="pt", **call)


@torch.no_grad()
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("kind", "large"), KINDS)
def test_layers_are_those_of_transformers(
    models: Any, waves: torch.Tensor, kind: str, large: bool, source: str
) -> None:
    folder, model = models[kind, large]
    values = standardised(waves.squeeze(2))["input_values"].float()
    theirs = model(values, output_hidden_states=True)
    encoder = build(folder, 1, 2, 3, source=source).eval()
    states, frames = encoder.hidden_states(waves)
    assert frames is None
    for ours, wanted in zip(states, [*theirs.hidden_states[:-1], theirs.last_hidden_state], strict=True):
        torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-5)
    embeddings = encoder(waves)
    assert list(embeddings) == [1, 2, 3]
    torch.testing.assert_close(embeddings[2], theirs.hidden_states[2].mean(dim=1), rtol=0, atol=1e-5)
    torch.testing.assert_close(embeddings[3], theirs.last_hidden_state.mean(dim=1), rtol=0, atol=1e-5)
    by_layer = build(folder, 2, source=source).eval().frames(waves)
    assert {number: layer.lengths for number, layer in by_layer.items()} == {0: None, 2: None}
    for number in (0, 2):
        torch.testing.assert_close(by_layer[number].x, theirs.hidden_states[number], rtol=0, atol=1e-5)
        assert encoder.frame_size(number) == by_layer[number].x.size(2)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["wav2vec2", "hubert", "wavlm"])
def test_padded_batch_is_that_of_transformers(models: Any, waves: torch.Tensor, kind: str) -> None:
    """Where transformers itself leaves padding out: models with layer normalisation."""
    folder, model = models[kind, True]
    rows = [waves[0, :, 0].numpy(), waves[1, :333, 0].numpy()]
    values = standardised(rows, padding=True)
    theirs = model(values["input_values"].float(), attention_mask=values["attention_mask"], output_hidden_states=True)
    states, frames = build(folder).eval().hidden_states(waves, torch.tensor([700, 333]))
    assert frames.tolist() == [34, 16]  # ((700 - 10) // 5 + 1 - 5) // 4 + 1, and of 333
    for ours, wanted in zip(states[:-1], theirs.hidden_states[:-1], strict=True):
        torch.testing.assert_close(ours[0], wanted[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(ours[1, :16], wanted[1, :16], rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("kind", "large"), KINDS)
def test_padded_batch_equals_single_utterances(
    models: Any, waves: torch.Tensor, kind: str, large: bool, source: str
) -> None:
    """Also with group normalisation, whose statistics transformers takes over the padding."""
    folder, model = models[kind, large]
    lengths = [700, 333]
    encoder = build(folder, 1, 3, source=source).eval()
    noisy = waves.clone()
    noisy[1, 333:] = 100.0
    together = encoder(noisy, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone = encoder(waves[row : row + 1, :length])
        values = standardised(waves[row : row + 1, :length, 0])["input_values"].float()
        theirs = model(values).last_hidden_state.mean(dim=1)
        torch.testing.assert_close(alone[3], theirs, rtol=0, atol=1e-5)
        for number in (1, 3):
            torch.testing.assert_close(together[number][row], alone[number][0], rtol=0, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(("kind", "large"), KINDS)
def test_torchaudio_equals_transformers(models: Any, waves: torch.Tensor, kind: str, large: bool) -> None:
    folder, model = models[kind, large]
    one, two = (build(folder, 1, 2, 3, source=source).eval()(waves) for source in SOURCES)
    for number in (1, 2, 3):
        torch.testing.assert_close(one[number], two[number], rtol=0, atol=1e-5)
    values = standardised(waves.squeeze(2))["input_values"].float()
    theirs, _ = import_huggingface_model(model).eval().extract_features(values)
    torch.testing.assert_close(two[2], theirs[1].mean(dim=1), rtol=0, atol=1e-5)


@torch.no_grad()
def test_eager_equals_sdpa(models: Any, waves: torch.Tensor) -> None:
    folder, _ = models["hubert", True]
    lengths = torch.tensor([700, 200])
    sdpa, eager = (build(folder, attention=name).eval()(waves, lengths)[3] for name in ("sdpa", "eager"))
    torch.testing.assert_close(sdpa, eager, rtol=0, atol=1e-5)
    assert not torch.equal(sdpa, torch.zeros_like(sdpa))


@torch.no_grad()
def test_wave_is_taken_as_it_is_where_the_model_says_so(tmp_path: Path, waves: torch.Tensor) -> None:
    model = make_ssl(tmp_path / "m")
    path = tmp_path / "m/preprocessor_config.json"
    path.write_text(path.read_text().replace('"do_normalize": true', '"do_normalize": false'))
    theirs = model(waves.squeeze(2)).last_hidden_state.mean(dim=1)
    torch.testing.assert_close(build(tmp_path / "m").eval()(waves)[3], theirs, rtol=0, atol=1e-5)


@torch.no_grad()
def test_lower_exits_build_no_more_layers(folder: Path, waves: torch.Tensor) -> None:
    whole, lower = build(folder, 1, 2, 3).eval(), build(folder, 1, 2).eval()
    assert len(lower.backbone.layers) == 2
    assert lower.backbone.last_norm is None
    for number in (1, 2):
        torch.testing.assert_close(lower(waves)[number], whole(waves)[number], rtol=0, atol=1e-6)


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("exits", [(1,), (3,), (1, 3)])
def test_every_parameter_takes_part_in_every_step(
    models: Any, waves: torch.Tensor, large: bool, exits: tuple[int, ...]
) -> None:
    encoder = build(models["wav2vec2", large][0], *exits, freeze="none")
    sum(value.square().sum() for value in encoder(waves).values()).backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None] == []


def test_masks_are_of_training_only_and_seeded(folder: Path, waves: torch.Tensor) -> None:
    encoder = build(folder, mask_time_prob=0.3, mask_feature_prob=0.3, mask_time_length=4, mask_feature_length=3)
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for layer in encoder.backbone.layers:
        layer.attention.dropout = 0.0
    clear = encoder.eval()(waves)[3]
    torch.testing.assert_close(encoder(waves)[3], clear, rtol=0, atol=0)
    encoder.train()
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(encoder(waves)[3])
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2])
    assert not torch.allclose(found[0], clear)


def test_masked_frames_are_the_models_embedding_and_masked_features_zero(models: Any, waves: torch.Tensor) -> None:
    folder, model = models["hubert", True]
    encoder = build(folder, mask_time_prob=0.3, mask_feature_prob=0.3, mask_time_length=4, mask_feature_length=3)
    torch.testing.assert_close(encoder.masks.embedding, model.masked_spec_embed)
    x = torch.ones(2, 40, 16)
    torch.manual_seed(0)
    masked = encoder.masks(x, torch.tensor([40, 10])).detach()
    zero = (masked == 0).all(dim=1)
    assert zero.any(dim=1).all()
    frames = (masked != 1)[:, :, :].masked_fill(zero.unsqueeze(1), False).any(dim=2)
    assert frames.any(dim=1).all()
    assert not frames[1, 10:].any()
    wanted = model.masked_spec_embed.detach().expand(2, 40, 16).masked_fill(zero.unsqueeze(1), 0.0)
    torch.testing.assert_close(masked[frames], wanted[frames])


@pytest.mark.parametrize("samples", [1, FIELD - 1, FIELD, 60])
def test_short_input(folder: Path, samples: int) -> None:
    """Shorter than a frame, and than a mask: in training and evaluation, alone and padded."""
    encoder = build(folder, mask_time_min_masks=2)
    wave = torch.randn(2, samples, 1)
    for training in (True, False):
        encoder.train(training)
        assert encoder(wave)[3].isfinite().all()
        assert encoder(wave, torch.tensor([samples, 1]))[3].isfinite().all()


FROZEN = {
    "none": [],
    "feature_extractor": ["convolutions"],
    2: ["convolutions", "projection", "entrance", "layers.0", "layers.1"],
    "all": ["convolutions", "projection", "entrance", "layers", "last_norm"],
}


@pytest.mark.parametrize("freeze", FROZEN)
def test_freeze(folder: Path, waves: torch.Tensor, freeze: str | int) -> None:
    """Frozen: no gradient, evaluation mode; all else learns."""
    encoder = build(folder, freeze=freeze, layer_sum=True).eval().train()
    encoder(waves)[1].square().sum().backward()
    starts = tuple(f"backbone.{name}." for name in FROZEN[freeze])
    if freeze in ("all", 2):
        starts += ("masks.embedding",)
    for name, parameter in encoder.named_parameters():
        assert parameter.requires_grad != name.startswith(starts), name
        assert (parameter.grad is not None) != name.startswith(starts), name
    for name, module in encoder.backbone.named_modules(prefix="backbone"):
        if name != "backbone" and name != "backbone.layers":
            assert module.training != f"{name}.".startswith(starts), name


def test_frozen_features_have_no_dropout(folder: Path, waves: torch.Tensor) -> None:
    encoder = build(folder, freeze="all", mask_time_prob=0, mask_feature_prob=0)
    evaluated = encoder.eval()(waves)[3]
    assert torch.equal(encoder.train()(waves)[3], evaluated)
    assert not evaluated.requires_grad
    assert encoder.masks.embedding is None


def test_layer_sum_is_the_softmax_weighted_sum_and_learns(models: Any, waves: torch.Tensor) -> None:
    folder, model = models["wavlm", False]
    encoder = build(folder, layer_sum=True, freeze="all").eval()
    assert encoder.new_parameters == ("layer_weights",)
    assert encoder.output_size(1) == 16
    with torch.no_grad():
        encoder.layer_weights.copy_(torch.tensor([0.0, 1.0, -1.0, 0.5]))
    values = standardised(waves.squeeze(2))["input_values"].float()
    with torch.no_grad():
        states = torch.stack(model(values, output_hidden_states=True).hidden_states).double()
    shares = np.exp([0.0, 1.0, -1.0, 0.5]) / np.exp([0.0, 1.0, -1.0, 0.5]).sum()
    wanted = (torch.from_numpy(shares)[:, None, None, None] * states).sum(dim=0).mean(dim=1)
    found = encoder(waves)[1]
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=1e-5)
    found.square().sum().backward()
    assert (encoder.layer_weights.grad.abs() > 1e-6).all()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", ["wav2vec2", "wavlm"])
def test_gradient_checkpointing_changes_no_gradient(models: Any, waves: torch.Tensor, source: str, kind: str) -> None:
    """With dropout and masks."""
    gradients = []
    for checkpointing in (False, True):
        encoder = build(models[kind, True][0], 2, 3, source=source, gradient_checkpointing=checkpointing)
        torch.manual_seed(5)
        embeddings = encoder(waves, torch.tensor([700, 400]))
        (embeddings[2].square().sum() + embeddings[3].sum()).backward()
        gradients.append({name: p.grad for name, p in encoder.named_parameters() if p.requires_grad})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-5, atol=1e-7, msg=name)


def test_gradient_checkpointing_keeps_less(folder: Path, waves: torch.Tensor) -> None:
    kept = []
    for checkpointing in (False, True):
        encoder, sizes = build(folder, gradient_checkpointing=checkpointing), []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, s=sizes: s.append(x.numel()) or x, lambda x: x):
            encoder(waves)
        kept.append(sum(sizes))
    assert kept[1] < 0.6 * kept[0]


@torch.no_grad()
def test_architecture_is_enough_to_build_it_again(models: Any, waves: torch.Tensor) -> None:
    for (kind, large), (folder, _) in models.items():
        one = build(folder, 2).eval()
        conf = one.resolved({"model": str(folder)})
        assert conf["model"] == f"{kind}{large}"
        two = SSLEncoder(1, [2], **conf).eval()
        assert not torch.equal(one(waves)[2], two(waves)[2])
        two.load_state_dict(one.state_dict())
        assert torch.equal(one(waves)[2], two(waves)[2])


WRONG = [
    ({"source": "fairseq"}, "source is"),
    ({"attention": "flash"}, "attention is"),
    ({"source": "torchaudio", "attention": "eager"}, "sdpa only"),
    ({"freeze": "half"}, "freeze is"),
    ({"freeze": 4}, "layers from 1 to 3"),
    ({"freeze": True}, "freeze is"),
    ({"mask_time_prob": 2.0}, "probability"),
]


@pytest.mark.parametrize(("conf", "text"), WRONG)
def test_impossible_options(folder: Path, conf: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        build(folder, **conf)


def test_impossible_exits_and_features(folder: Path) -> None:
    with pytest.raises(ValueError, match="exits 1 to 3"):
        build(folder, 4)
    with pytest.raises(ValueError, match="exits 1 to 1"):
        build(folder, 2, layer_sum=True)
    with pytest.raises(ValueError, match="takes waves"):
        SSLEncoder(80, [None], model=str(folder))
    with pytest.raises(ValueError, match="model is missing"):
        SSLEncoder(1, [None])


def test_torchaudio_refuses_what_it_would_build_otherwise(tmp_path: Path) -> None:
    make_ssl(tmp_path / "m", hidden_act="relu")
    with pytest.raises(ValueError, match="hidden_act relu"):
        build(tmp_path / "m", source="torchaudio")
    build(tmp_path / "m")


def test_torn_and_foreign_weights_are_refused_in_one_line(tmp_path: Path, folder: Path) -> None:
    make_ssl(tmp_path / "m")
    weights = tmp_path / "m/model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"weights cannot be loaded") as caught:
        build(tmp_path / "m")
    assert "\n" not in str(caught.value)
    make_ssl(tmp_path / "other", num_hidden_layers=2)
    weights.write_bytes((tmp_path / "other/model.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"weights lack encoder\.layers\.2"):
        build(tmp_path / "m")
    make_ssl(tmp_path / "wide", hidden_size=32)
    weights.write_bytes((tmp_path / "wide/model.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"weights cannot be loaded") as caught:
        build(tmp_path / "m")
    assert "\n" not in str(caught.value)
