"""Chains of tasks and of dimensions, against numpy."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from espnet2_ext.errors import UserError
from espnet2_ext.mtl.build import build_model
from espnet2_ext.mtl.head import ClassifierChain, DimensionChainHead, ParallelHeads
from espnet2_ext.mtl.task_spec import Task

TYPE = Task("type", "classification", classes=("x", "y", "z"))
TWO = Task("two", "regression", dimensions=("valence", "arousal"), normalise=True)
HIGH = Task("high", "regression", dimensions=("a", "b", "c", "d"), activation="sigmoid")
SIZES = {"type": 5, "two": 4, "high": 6}
ROWS = 7


def make_chain(order: tuple[str, ...] = ("type", "two", "high"), **conf: Any) -> ClassifierChain:
    torch.manual_seed(0)
    chain = ClassifierChain([TYPE, TWO, HIGH], SIZES, order, **conf).double()
    chain["two"].target_mean.copy_(torch.tensor([0.5, 0.4]))
    chain["two"].target_std.copy_(torch.tensor([0.2, 0.1]))
    return chain


def make_embeddings() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(ROWS, size, generator=generator).double() for name, size in SIZES.items()}


def make_targets() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return {
        "type": torch.randint(0, 3, (ROWS,), generator=generator),
        "two": torch.rand(ROWS, 2, generator=generator).double(),
        "high": torch.rand(ROWS, 4, generator=generator).double(),
    }


def linear(chain: ParallelHeads, name: str, x: np.ndarray) -> np.ndarray:
    [layer] = [layer for layer in chain[name].layers if isinstance(layer, torch.nn.Linear)]
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum(1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_predictions_are_handed_on() -> None:
    chain, embeddings = make_chain().eval(), make_embeddings()
    e = {name: value.numpy() for name, value in embeddings.items()}
    logits = linear(chain, "type", e["type"])
    two = linear(chain, "two", np.hstack([e["two"], softmax(logits)]))
    high = sigmoid(linear(chain, "high", np.hstack([e["high"], softmax(logits), two])))
    found = chain(embeddings)
    assert list(found) == ["type", "two", "high"]
    for name, expected in (("type", logits), ("two", two), ("high", high)):
        np.testing.assert_allclose(found[name].detach().numpy(), expected, rtol=1e-12, err_msg=name)


def test_labels_are_handed_on_in_training() -> None:
    """Classes as ones and zeros, standardised values as the loss takes them."""
    chain, embeddings, targets = make_chain(), make_embeddings(), make_targets()
    e = {name: value.numpy() for name, value in embeddings.items()}
    one_hot = np.eye(3)[targets["type"].numpy()]
    standardised = (targets["two"].numpy() - [0.5, 0.4]) / np.float32([0.2, 0.1])
    high = sigmoid(linear(chain, "high", np.hstack([e["high"], one_hot, standardised])))
    found = chain(embeddings, targets)
    np.testing.assert_allclose(
        found["two"].detach().numpy(), linear(chain, "two", np.hstack([e["two"], one_hot])), rtol=1e-6
    )
    np.testing.assert_allclose(found["high"].detach().numpy(), high, rtol=1e-6)


def test_soft_labels_are_handed_on() -> None:
    chain, embeddings, targets = make_chain(), make_embeddings(), make_targets()
    shares = torch.full((ROWS, 3), 1 / 3, dtype=torch.float64)
    shares[0] = torch.nan
    found = chain(embeddings, targets | {"type": shares})["two"]
    fed = shares.clone()
    fed[0] = torch.softmax(chain["type"](embeddings["type"]), dim=1)[0].detach()
    expected = linear(chain, "two", np.hstack([embeddings["two"].numpy(), fed.numpy()]))
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12)


def test_a_missing_label_falls_back_to_the_prediction() -> None:
    """By row for a class, by row and dimension for values; the rows with labels stay as they were."""
    chain, embeddings, targets = make_chain(), make_embeddings(), make_targets()
    whole = chain(embeddings, targets)
    predicted = chain(embeddings)
    partial = {name: value.clone() for name, value in targets.items()}
    partial["type"][2] = -1
    found = chain(embeddings, partial)
    torch.testing.assert_close(found["two"][2], predicted["two"][2])
    others = [row for row in range(ROWS) if row != 2]
    torch.testing.assert_close(found["two"][others], whole["two"][others])
    partial["type"][2] = targets["type"][2]
    partial["two"][4, 1] = math.nan
    fed = torch.cat(
        [embeddings["high"], torch.nn.functional.one_hot(targets["type"], 3), chain["two"].standardise(targets["two"])],
        1,
    )
    fed[4, -1] = whole["two"][4, 1].detach()
    torch.testing.assert_close(chain(embeddings, partial)["high"], chain["high"](fed))


@pytest.mark.parametrize("labels", ["all", "none"])
def test_no_gradient_from_task_to_task(labels: str) -> None:
    """A task's loss reaches its own head and embedding only, with labels and without."""
    chain, embeddings, targets = make_chain(("two", "high", "type")), make_embeddings(), make_targets()
    if labels == "none":
        targets = {"type": torch.full((ROWS,), -1)} | {
            n: torch.full_like(targets[n], math.nan) for n in ("two", "high")
        }
    embeddings = {name: value.requires_grad_() for name, value in embeddings.items()}
    chain(embeddings, targets)["high"].sum().backward()
    for name, head in chain.items():
        assert all((p.grad is not None) == (name == "high") for p in head.parameters()), name
        assert (embeddings[name].grad is not None) == (name == "high")


def test_order_is_that_of_the_configuration() -> None:
    chain = make_chain(("high", "type", "two"))
    widths = {name: head.layers[-1].in_features for name, head in chain.items()}
    assert widths == {"high": 6, "type": 5 + 4, "two": 4 + 4 + 3}
    torch.manual_seed(0)
    assert ClassifierChain([TYPE, TWO, HIGH], SIZES).order == ("type", "two", "high")


def test_scheduled_sampling() -> None:
    """Rows take predictions with probability 1 - p; p goes to its last value, and its epoch is in the state."""
    chain = make_chain(ground_truth={"start": 1.0, "end": 0.2, "epochs": 5})
    expected = [1.0, 0.8, 0.6, 0.4, 0.2, 0.2]
    for value in expected:
        assert chain.stats()["ground_truth"].item() == pytest.approx(value)
        chain.on_epoch_end()
    other = make_chain(ground_truth={"start": 1.0, "end": 0.2, "epochs": 5})
    other.load_state_dict(chain.state_dict())
    assert other.stats()["ground_truth"].item() == pytest.approx(0.2)
    truths = [
        chain.truths(
            {"type": torch.zeros(4000, dtype=torch.long), "two": torch.zeros(4000, 2), "high": torch.zeros(4000, 4)}
        )
    ]
    for values in truths[0].values():
        by_row = values.isnan().all(1)
        assert torch.equal(by_row, values.isnan().any(1))
        # Five standard deviations of a binomial share of 4,000 rows.
        assert by_row.double().mean().item() == pytest.approx(0.8, abs=5 * math.sqrt(0.2 * 0.8 / 4000))


def test_without_labels_at_all_the_chain_predicts() -> None:
    embeddings, targets = make_embeddings(), make_targets()
    chain = make_chain(ground_truth=0.0)
    for name, value in chain(embeddings, targets).items():
        torch.testing.assert_close(value, make_chain()(embeddings)[name])


def chain_of_dimensions() -> DimensionChainHead:
    torch.manual_seed(0)
    head = DimensionChainHead(6, HIGH).double()
    torch.nn.init.normal_(head.earlier)
    return head


@pytest.mark.parametrize("truth", [None, "all", "some"])
def test_dimensions_take_those_before(truth: str | None) -> None:
    head, embedding = chain_of_dimensions(), make_embeddings()["high"]
    labels = None if truth is None else make_targets()["high"]
    if truth == "some":
        labels[1, 0] = labels[3, 2] = math.nan
    own = head.layers(embedding).detach().numpy()
    earlier = head.earlier.detach().numpy()
    expected = np.zeros((ROWS, 4))
    for row in range(ROWS):
        fed: list[float] = []
        for d in range(4):
            expected[row, d] = sigmoid(own[row, d] + sum(earlier[d, j] * fed[j] for j in range(d)))
            label = math.nan if labels is None else labels[row, d].item()
            fed.append(expected[row, d] if math.isnan(label) else label)
    np.testing.assert_allclose(head(embedding, labels).detach().numpy(), expected, rtol=1e-10)


def test_only_earlier_dimensions_are_learnt() -> None:
    head = chain_of_dimensions()
    head(make_embeddings()["high"], make_targets()["high"]).sum().backward()
    lower = np.tril(np.ones((4, 4)), -1).astype(bool)
    assert (head.earlier.grad.numpy() != 0)[lower].all()
    assert not head.earlier.grad.numpy()[~lower].any()


def test_a_chain_begins_as_heads_without() -> None:
    """The weights between dimensions start at 0."""
    torch.manual_seed(0)
    heads = ParallelHeads([HIGH], SIZES)
    torch.manual_seed(0)
    chained = ParallelHeads([HIGH], SIZES, dimension_chain=["high"])
    embeddings = {"high": torch.randn(3, 6)}
    torch.testing.assert_close(heads(embeddings)["high"], chained(embeddings)["high"])


@pytest.mark.parametrize("order", [["type", "two"], ["type", "two", "high", "high"], "type", ["type", "two", "mood"]])
def test_an_order_is_of_exactly_the_tasks(order: Any) -> None:
    with pytest.raises(UserError, match=r"order .* is not a list of exactly the tasks type, two, high"):
        make_chain(order)


def test_the_model_hands_labels_on_in_training_only() -> None:
    spec = {"tasks": [
        {"name": "type", "type": "classification", "classes": ["x", "y"]},
        {"name": "age", "type": "regression", "dimensions": ["years"]},
    ]}  # fmt: skip
    torch.manual_seed(0)
    model = build_model({
        "task_spec": spec, "input_size": 8, "encoder": "multi_exit_cnn",
        "encoder_conf": {"channels": [4], "norm": "group"}, "normalize": None, "weighting": "equal",
        "weighting_conf": {}, "heads": "chain", "head_conf": {},
        "channels_last": False, "compile_encoder": False,
    })  # fmt: skip
    batch = {"feats": torch.randn(4, 20, 8), "age": torch.rand(4, 1)}
    losses = {}
    for training in (True, False):
        model.train(training)
        losses[training] = [model(**batch, type=torch.full((4,), c))[1]["loss_age"].item() for c in (0, 1)]
    assert losses[True][0] != losses[True][1]
    assert losses[False][0] == losses[False][1]
