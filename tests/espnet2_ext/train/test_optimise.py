"""The optimiser step: clipping budgets, skipped steps, groups."""

import math

import numpy as np
import pytest
import torch

from espnet2_ext.errors import UserError
from espnet2_ext.train.optimise import clip_gradients, parameter_groups, step_if_finite


def make(
    gradients: dict[str, list[float]], fused: bool = False, **lrs: float | None
) -> tuple[torch.optim.AdamW, dict[str, torch.nn.Parameter]]:
    parameters = {name: torch.nn.Parameter(torch.zeros(len(g))) for name, g in gradients.items()}
    for name, gradient in gradients.items():
        parameters[name].grad = torch.tensor(gradient)
    groups = parameter_groups(parameters.items(), *(lrs.get(f"{name}_lr") for name in ("encoder", "weighting", "exit")))
    return torch.optim.AdamW(groups, lr=0.1, weight_decay=0.01, fused=fused), parameters


GRADIENTS = {"encoder.a": [3.0, 0.0], "heads.b": [0.0, 4.0], "weighting.log_alpha2": [1000.0, 0.0]}


def test_the_weighting_does_not_eat_the_networks_budget() -> None:
    """Network norm 5 clipped to 2.5: halved, whatever the weighting's gradient is; the weighting is clipped alone."""
    optimizer, parameters = make(GRADIENTS)
    norm, finite = clip_gradients(optimizer, 2.5, 2.0)
    assert norm.item() == pytest.approx(5.0)
    assert bool(finite)
    assert parameters["encoder.a"].grad.tolist() == pytest.approx([1.5, 0.0], rel=1e-5)
    assert parameters["heads.b"].grad.tolist() == pytest.approx([0.0, 2.0], rel=1e-5)
    assert parameters["weighting.log_alpha2"].grad.tolist() == pytest.approx([2.5, 0.0], rel=1e-5)


def test_small_gradients_stay() -> None:
    optimizer, parameters = make({"encoder.a": [0.3, 0.4], "weighting.w": [0.1]})
    norm, _ = clip_gradients(optimizer, 2.5, 2.0)
    assert norm.item() == pytest.approx(0.5)
    assert parameters["encoder.a"].grad.tolist() == pytest.approx([0.3, 0.4])


@pytest.mark.parametrize("norm_type", [1.0, math.inf])
def test_other_norms(norm_type: float) -> None:
    optimizer, _ = make({"encoder.a": [3.0, -4.0]})
    norm, _ = clip_gradients(optimizer, 100.0, norm_type)
    assert norm.item() == pytest.approx(float(np.linalg.norm([3.0, -4.0], norm_type)))


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("where", ["encoder.a", "heads.b", "weighting.log_alpha2"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_skips_the_step(fused: bool, where: str, bad: float) -> None:
    optimizer, parameters = make({**GRADIENTS, where: [bad, 1.0]}, fused)
    _, finite = clip_gradients(optimizer, 2.5, 2.0)
    assert not bool(finite)
    step_if_finite(optimizer, finite)
    for parameter in parameters.values():
        assert parameter.tolist() == [0, 0]
        assert parameter.grad is None


@pytest.mark.parametrize("fused", [False, True])
def test_a_skipped_step_leaves_no_trace(fused: bool) -> None:
    """Good, bad, good equals good, good: moments and step counts of AdamW too."""
    results = []
    for steps in ([1.0, math.nan, 2.0], [1.0, 2.0]):
        optimizer, parameters = make(GRADIENTS, fused)
        for value in steps:
            for parameter in parameters.values():
                parameter.grad = torch.tensor([value, -value])
            step_if_finite(optimizer, clip_gradients(optimizer, 2.5, 2.0)[1])
        results.append((parameters, optimizer.state_dict()["state"]))
    (one, state_one), (two, state_two) = results
    for name in one:
        assert one[name].abs().sum() > 0
        assert torch.equal(one[name], two[name]), name
    for index, state in state_one.items():
        for key, value in state.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(state_two[index][key])), key


def test_fused_equals_plain() -> None:
    results = []
    for fused in (False, True):
        optimizer, parameters = make(GRADIENTS, fused)
        step_if_finite(optimizer, clip_gradients(optimizer, 2.5, 2.0)[1])
        results.append(parameters)
    for name in results[0]:
        torch.testing.assert_close(results[0][name], results[1][name])


def test_groups() -> None:
    optimizer, parameters = make(GRADIENTS, encoder_lr=0.001, weighting_lr=0.02)
    found = {g["name"]: (g["lr"], g["weight_decay"], g["params"]) for g in optimizer.param_groups}
    assert found == {
        "encoder": (0.001, 0.01, [parameters["encoder.a"]]),
        "heads": (0.1, 0.01, [parameters["heads.b"]]),
        "weighting": (0.02, 0.0, [parameters["weighting.log_alpha2"]]),
    }


def test_logits_of_exits_have_a_group_and_their_projections_none() -> None:
    names = ("heads.b", "exits.age.logit", "exits.age.projections.0.weight", "exits.logit.projections.0.weight")
    optimizer, parameters = make({name: [1.0] for name in names}, exit_lr=0.03)
    found = {g["name"]: (g["lr"], g["weight_decay"], g["params"]) for g in optimizer.param_groups}
    assert found == {
        "heads": (0.1, 0.01, [parameters[name] for name in names if name != "exits.age.logit"]),
        "exit_shares": (0.03, 0.0, [parameters["exits.age.logit"]]),
    }


def test_groups_without_parameters_are_left_out() -> None:
    frozen = torch.nn.Parameter(torch.zeros(1), requires_grad=False)
    head = torch.nn.Parameter(torch.zeros(1))
    network = [("encoder.a", frozen), ("heads.b", head)]
    assert parameter_groups(network, None, None, None) == [{"name": "heads", "params": [head]}]
    with pytest.raises(UserError, match="nothing of the encoder learns"):
        parameter_groups(network, 0.1, None, None)


def test_new_parameters_of_a_pretrained_encoder_learn_with_the_heads() -> None:
    network = [(name, torch.nn.Parameter(torch.zeros(1))) for name in ("encoder.a", "encoder.sum", "heads.b")]
    encoder, heads = parameter_groups(network, 0.1, None, None, ["encoder.sum"])
    assert (encoder["lr"], encoder["params"]) == (0.1, [network[0][1]])
    assert heads == {"name": "heads", "params": [network[1][1], network[2][1]]}
