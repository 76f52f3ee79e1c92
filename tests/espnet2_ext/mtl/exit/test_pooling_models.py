"""Poolings of frames in whole models: wiring, gradients, padding, precision, and what is impossible."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tiny_ssl import make_ssl
from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.build import build_model, load_trained
from espnet2_ext.mtl.encoder import AbsFrameEncoder
from espnet2_ext.mtl.encoder.abs_frame_encoder import Frames
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.exit import BranchPooling
from espnet2_ext.mtl.task_spec import Task
from espnet2_ext.train.checkpoint import save

ATTENTION, SHARED = {"pooling": "attention"}, {"pooling": "attention", "shared": True}
BRANCH = {"pooling": "branch", "layers": [0, 1, 3], "size": 8, "n_heads": 2}
POOLINGS = {"attention": ATTENTION, "shared": SHARED, "branch": BRANCH}
HIGH = {"name": "high", "type": "regression", "dimensions": ["a", "b", "c"], "activation": "sigmoid"}
TYPE = {"name": "type", "type": "classification", "classes": ["x", "y", "z"]}
TWO = {"name": "two", "type": "regression", "dimensions": ["valence", "arousal"]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    root = tmp_path_factory.mktemp("models")
    for large in (True, False):
        make_ssl(root / str(large), large=large)
    return {large: root / str(large) for large in (True, False)}


def make_model(folder: Path, exit_conf: dict[str, Any], tasks: Any = (HIGH, TYPE, TWO), **changes: Any) -> Any:
    torch.manual_seed(0)
    config = {
        "task_spec": {"tasks": list(tasks)}, "input_size": 1, "encoder": "ssl", "encoder_conf": {"model": str(folder)},
        "normalize": None, "normalize_conf": {}, "weighting": "equal", "weighting_conf": {}, "head_conf": {},
        "exit_conf": exit_conf, "channels_last": True, "compile_encoder": False,
    }  # fmt: skip
    return build_model(config | changes)


def on_log_mel(exit_conf: dict[str, Any], exits: tuple[int, ...] = (1, 2, 2), **changes: Any) -> ESPnetMTLModel:
    tasks = [task | {"exit": number} for task, number in zip((HIGH, TYPE, TWO), exits, strict=True)]
    cnn = {"input_size": 8, "encoder": "multi_exit_cnn", "encoder_conf": {"channels": [4, 6], "norm": "group"}}
    return make_model(Path(), exit_conf, tasks, **cnn, **changes)


def batch(size: int, frames: int, rows: int = 4) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "feats": torch.randn(rows, frames, size, generator=generator),
        "feats_lengths": torch.tensor([frames, frames // 2, frames - 1, frames][:rows]),
        "high": torch.rand(rows, 3, generator=generator),
        "type": torch.randint(0, 3, (rows,), generator=generator),
        "two": torch.rand(rows, 2, generator=generator),
    }


def touched(model: ESPnetMTLModel, task: str, data: dict[str, Tensor]) -> set[str]:
    """Parameters that get a gradient from the loss of one task."""
    model.zero_grad()
    losses, _ = model.task_losses(model.outputs(data["feats"], data["feats_lengths"]), data)
    losses[task].backward()
    return {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_tasks_loss_reaches_its_own_exit_and_what_is_shared(folders: Any, pooling: str) -> None:
    model = make_model(folders[True], POOLINGS[pooling]).train()
    reached = touched(model, "high", batch(1, 700))
    own = {name for name, _ in model.named_parameters() if name.startswith(("exits.high.", "heads.high."))}
    # The bias of keys adds the same to all scores of a query: no gradient but rounding.
    assert {name for name in own - reached if not name.endswith("in_proj_bias")} == set()
    assert not any(name.startswith(("exits.type", "exits.two", "heads.type", "heads.two")) for name in reached)
    shared = {name for name, _ in model.named_parameters() if name.startswith("shared_exit.")}
    assert bool(shared) == (pooling != "attention")
    assert shared <= reached
    assert any(name.startswith("encoder.") for name in reached)


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_parameter_takes_part(folders: Any, pooling: str, large: bool) -> None:
    """Also without a label of a task, as distributed training needs it."""
    model, data = make_model(folders[large], POOLINGS[pooling]).train(), batch(1, 700)
    data["type"][:] = -1
    loss, _, _ = model(**data)
    loss.backward()
    wanting = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert wanting == []


@pytest.mark.parametrize("pooling", ["attention", "shared"])
def test_every_parameter_takes_part_on_log_mel(pooling: str) -> None:
    model, data = on_log_mel(POOLINGS[pooling]).train(), batch(8, 24)
    loss, _, _ = model(**data)
    loss.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    attentions = [name for name, _ in model.named_parameters() if name.endswith("score.weight")]
    # One for each task, or one for each of the two exits.
    assert len(attentions) == (3 if pooling == "attention" else 2)


def test_branch_uses_exactly_the_listed_layers(folders: Any) -> None:
    model = make_model(folders[True], BRANCH | {"layers": [0, 2]}).eval()
    assert len(model.encoder.backbone.layers) == 2
    generator = torch.Generator().manual_seed(0)
    frames = {layer: Frames(torch.randn(2, 9, 16, generator=generator).requires_grad_(), None) for layer in range(4)}
    outputs = model.head_outputs(model.shared_exit(frames))
    sum(output.sum() for output in outputs.values()).backward()
    assert [layer for layer, (x, _) in frames.items() if x.grad is not None] == [0, 2]
    assert [len(leave.blocks) for leave in model.exits.values()] == [1, 1, 1]


class Layers(AbsFrameEncoder):
    """An encoder of which only the numbers of its layers are asked."""

    def __init__(self, exits: tuple[int, ...]) -> None:
        super().__init__()
        self.exits = exits

    def output_size(self, exit_number: int) -> int:
        return 16

    def frame_size(self, layer: int) -> int:
        return 16

    def frames(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Frames]:
        return {layer: Frames(feats, lengths) for layer in self.exits}

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> dict[int, Tensor]:
        return {layer: feats.mean(dim=1) for layer in self.exits}


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (range(1, 13), (2, 4, 6, 8, 10, 12)),
        (range(1, 6), (1, 3, 5)),
        (range(1, 25), tuple(range(2, 25, 2))),
        # Stored hidden states hold some layers only.
        (range(2, 13, 2), (2, 4, 6, 8, 10, 12)),
    ],
)
def test_layers_of_the_papers_model(held: range, expected: tuple[int, ...]) -> None:
    tasks = [Task(name, "classification", classes=("x", "y")) for name in ("type", "two")]
    pooling = BranchPooling()
    assert pooling.encoder_exits(tasks) == ["learnt"]
    projections, exits = pooling.build(tasks, Layers(tuple(held)))
    assert [leave.layers for leave in exits.values()] == [expected, expected]
    [linear, _, dropout] = projections.projections[0]
    assert (linear.out_features, dropout.p, exits["two"].blocks[0].attention.num_heads) == (256, 0.3, 8)
    assert exits["type"].output_size == 256


@torch.no_grad()
@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_padded_batch_equals_single_utterances(folders: Any, pooling: str, large: bool) -> None:
    model = make_model(folders[large], POOLINGS[pooling]).eval()
    data = batch(1, 700)
    data["feats"][1, 350:] = 100.0
    together = model.report(model.outputs(data["feats"], data["feats_lengths"]))
    for row, length in enumerate(data["feats_lengths"].tolist()):
        alone = model.report(model.outputs(data["feats"][row : row + 1, :length]))
        for name, value in alone.items():
            torch.testing.assert_close(together[name][row], value[0], rtol=0, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["attention", "shared"])
def test_padded_batch_equals_single_utterances_on_log_mel(pooling: str) -> None:
    model, data = on_log_mel(POOLINGS[pooling]).eval(), batch(8, 24)
    together = model.outputs(data["feats"], data["feats_lengths"])
    for row, length in enumerate(data["feats_lengths"].tolist()):
        for name, value in model.outputs(data["feats"][row : row + 1, :length]).items():
            torch.testing.assert_close(together[name][row], value[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_checkpointed_layers_have_the_same_gradient(folders: Any, pooling: str) -> None:
    gradients = []
    for checkpointing in (False, True):
        conf = {"model": str(folders[True]), "mask_time_prob": 0, "gradient_checkpointing": checkpointing}
        model = make_model(folders[True], POOLINGS[pooling], encoder_conf=conf).train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if isinstance(module, torch.nn.MultiheadAttention):
                module.dropout = 0.0
        torch.manual_seed(1)
        model(**batch(1, 400))[0].backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_bfloat16_autocast_pools_in_float32(folders: Any, pooling: str) -> None:
    model, data = make_model(folders[True], POOLINGS[pooling]).train(), batch(1, 400)
    with torch.autocast("cpu", torch.bfloat16):
        encoded = model.encode(data["feats"], data["feats_lengths"])
        pooled = {name: leave(encoded) for name, leave in model.exits.items()}
        loss, _, _ = model(**data)
    assert {value.dtype for value in pooled.values()} == {torch.float32}
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@torch.no_grad()
def test_compiled_encoder_compiles_its_frames(folders: Any) -> None:
    model, data = make_model(folders[True], BRANCH).eval(), batch(1, 400)
    expected = model.outputs(data["feats"], data["feats_lengths"])
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Any:
        graphs.append(graph)
        return graph.forward

    model.encoder.compile(backend=backend)
    for name, value in model.outputs(data["feats"], data["feats_lengths"]).items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-5)
    assert graphs


@pytest.mark.parametrize("pooling", POOLINGS)
def test_exits_are_one_graph(folders: Any, pooling: str) -> None:
    """Nothing there asks for a value: torch raises an error where a graph would break."""
    model, data = make_model(folders[True], POOLINGS[pooling]).train(), batch(1, 400)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(module, torch.nn.MultiheadAttention):
            module.dropout = 0.0

    def embeddings(frames: dict[int, Frames]) -> dict[str, Tensor]:
        return {name: leave(model.shared_exit(frames)) for name, leave in model.exits.items()}

    frames = model.encoder.frames(data["feats"], data["feats_lengths"])
    expected = embeddings(frames)
    for name, value in torch.compile(embeddings, fullgraph=True, backend="eager")(frames).items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_loaded_model_is_the_trained_one(tmp_path: Path, pooling: str) -> None:
    exit_conf = POOLINGS[pooling]
    config = {
        "task_spec": {"tasks": [HIGH, TYPE]}, "input_size": 1, "encoder": "ssl", "normalize": None,
        "normalize_conf": {}, "weighting": "equal", "weighting_conf": {}, "head_conf": {}, "exit_conf": exit_conf,
        "channels_last": True, "compile_encoder": False,
    }  # fmt: skip
    make_ssl(tmp_path / "m")
    model = build_model(config | {"encoder_conf": {"model": str(tmp_path / "m")}}).eval()
    # As an experiment keeps it: without the folder.
    conf = model.encoder.resolved({"model": str(tmp_path / "m")})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config | {"encoder_conf": conf}))
    save(model.state_dict(), tmp_path / "model.pth")
    loaded, _ = load_trained(tmp_path / "config.yaml", tmp_path / "model.pth")
    feats = batch(1, 400)["feats"]
    expected = model.outputs(feats)
    assert all(torch.equal(value, expected[name]) for name, value in loaded.outputs(feats).items())


def test_chain_stands_on_an_attention(folders: Any) -> None:
    """Each head takes its embedding and what all earlier tasks gave."""
    chain = {"heads": "chain", "head_conf": {"order": ["type", "two", "high"]}}
    model = make_model(folders[True], SHARED, **chain).eval()
    widths = {name: head.layers[-1].in_features for name, head in model.heads.items()}
    assert widths == {"type": 16, "two": 16 + 3, "high": 16 + 3 + 2}
    feats = batch(1, 400)["feats"]
    embedding = model.encode(feats)[3]
    torch.testing.assert_close(model.outputs(feats)["type"], model.heads["type"](embedding))


IMPOSSIBLE = [
    ({"pooling": "branch", "n_heads": 3}, {}, "exit_conf: size 256 is no multiple of n_heads 3"),
    ({"pooling": "branch", "n_heads": 0}, {}, "exit_conf: n_heads: must be a whole number of at least 1"),
    ({"pooling": "branch", "size": "wide"}, {}, "exit_conf: size: must be a whole number of at least 1, not 'wide'"),
    ({"pooling": "branch", "dropout": 2}, {}, "exit_conf: dropout: must lie in [0, 1]"),
    ({"pooling": "branch", "width": 8}, {}, "pooling branch: no such option: width; its options are: layers, size"),
    ({"pooling": "branch", "layers": [2, 1]}, {}, "exit_conf: layers [2, 1]: give two layers or more, ascending"),
    ({"pooling": "branch", "layers": [1, 1]}, {}, "exit_conf: layers [1, 1]: give two"),
    ({"pooling": "branch", "layers": [3]}, {}, "exit_conf: layers [3]: give two"),
    ({"pooling": "branch", "layers": 3}, {}, "exit_conf: layers 3: give two"),
    ({"pooling": "branch", "layers": [-1, 3]}, {}, "exit_conf: layers [-1, 3]: give two"),
    ({"pooling": "branch", "layers": [2, 4]}, {}, "exit 4: the encoder has exits 1 to 3"),
    ({"pooling": "branch", "layers": [1, 2]}, {"tasks": [HIGH | {"exit": 1}]}, "task 'high': exit 1 does nothing"),
    ({"pooling": "attention", "shared": "yes"}, {}, "exit_conf: shared is true or false, not 'yes'"),
    ({"pooling": "attention"}, {"tasks": [HIGH | {"exit": "learnt"}]}, "only pooling mean of exit_conf can learn an"),
    ({"pooling": "attention"}, {"tasks": [HIGH | {"exit": 9}]}, "exit 9: the encoder has exits 1 to 3"),
    (
        {"pooling": "attention"},
        {"input_size": 8, "encoder": "mlp", "encoder_conf": {}},
        "exit_conf: pooling attention: this encoder gives no frames; those that do: multi_exit_cnn",
    ),
    (
        {"pooling": "branch", "layers": [1, 2]},
        {"input_size": 8, "encoder": "multi_exit_cnn", "encoder_conf": {}},
        "exit_conf: pooling branch: the layers of this encoder differ in their frame rate",
    ),
    ({"pooling": "attention"}, {"twins": True}, "exit_conf: twins have pooling mean only"),
]


@pytest.mark.parametrize(("exit_conf", "changes", "expected"), IMPOSSIBLE)
def test_impossible_options_are_one_line(folders: Any, exit_conf: dict, changes: dict, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        make_model(folders[True], exit_conf, **changes)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sum_of_layers_is_one_layer(folders: Any) -> None:
    conf = {"model": str(folders[True]), "layer_sum": True}
    model = make_model(folders[True], ATTENTION, encoder_conf=conf).eval()
    assert {leave.number for leave in model.exits.values()} == {1}
    assert all(value.isfinite().all() for value in model.outputs(batch(1, 400)["feats"]).values())
    with pytest.raises(UserError, match="layers: this encoder has 1 only"):
        make_model(folders[True], {"pooling": "branch"}, encoder_conf=conf)
    with pytest.raises(UserError, match=r"exit_conf: layers \[0, 1\]: exit 0: the encoder has exits 1 to 1"):
        make_model(folders[True], {"pooling": "branch", "layers": [0, 1]}, encoder_conf=conf)
