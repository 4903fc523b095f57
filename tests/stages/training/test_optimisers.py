"""Steps of the optimisers against their formulas, weight decay, and gradient clipping."""

from __future__ import annotations

import pytest
import torch

from stages.training.optimisers import OptimiserConfig


def parameter(*values: float) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(values))


def test_sgd_follows_the_formula_of_momentum_and_weight_decay() -> None:
    p = parameter(2.0)
    config = OptimiserConfig(kind="sgd", learning_rate=0.1, weight_decay=0.5, momentum=0.9)
    optimiser = config.create([p])
    value, velocity = 2.0, 0.0
    for gradient in (1.0, -3.0, 0.5):
        p.grad = torch.tensor([gradient])
        optimiser.step()
        velocity = 0.9 * velocity + gradient + 0.5 * value
        value -= 0.1 * velocity
    assert p.item() == pytest.approx(value, rel=1e-6)


def test_adamw_decays_matrices_but_not_vectors() -> None:
    matrix, gain = torch.nn.Parameter(torch.ones(2, 2)), parameter(1.0, 1.0)
    optimiser = OptimiserConfig(kind="adamw", learning_rate=0.1, weight_decay=0.5).create(
        [matrix, gain]
    )
    matrix.grad, gain.grad = torch.zeros(2, 2), torch.zeros(2)
    optimiser.step()
    assert matrix[0, 0].item() == pytest.approx(0.95)
    assert gain[0].item() == 1


def test_frozen_parameters_are_left_out() -> None:
    frozen = parameter(1.0).requires_grad_(False)
    optimiser = OptimiserConfig(kind="sgd", learning_rate=0.1, weight_decay=0.0).create(
        [frozen, parameter(1.0)]
    )
    assert sum(len(group["params"]) for group in optimiser.param_groups) == 1


def gradients(*norms: float) -> list[torch.nn.Parameter]:
    made = [parameter(0.0, 0.0) for _ in norms]
    for p, norm in zip(made, norms, strict=True):
        p.grad = torch.tensor([0.6, 0.8]) * norm
    return made


def norms_after(clip: float, clip_by: str) -> list[float]:
    made = gradients(3.0, 4.0, 0.0)
    made.append(parameter(1.0))  # without a gradient
    config = OptimiserConfig(
        kind="sgd", learning_rate=1, weight_decay=0, clip=clip, clip_by=clip_by
    )
    config.clip_gradients(made)
    return [p.grad.norm().item() for p in made if p.grad is not None]


def test_clipping_by_parameter_limits_each_norm_separately() -> None:
    assert norms_after(3.5, "parameter") == pytest.approx([3.0, 3.5, 0.0], rel=1e-5)


def test_clipping_by_total_scales_all_gradients_by_one_factor() -> None:
    assert norms_after(2.5, "total") == pytest.approx([1.5, 2.0, 0.0], rel=1e-5)


def test_without_a_limit_gradients_are_unchanged() -> None:
    assert norms_after(0.0, "total") == pytest.approx([3.0, 4.0, 0.0])
