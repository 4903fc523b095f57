"""The average of weights, against its formula in float64; what of a network it is about."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stages.training.weight_average import WeightAverage


def network() -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    module[0].bias.requires_grad_(False)
    return module


def walk(module: torch.nn.Module, average: WeightAverage, steps: int) -> list[np.ndarray]:
    """The weight at the beginning and after each of some random steps."""
    rng = np.random.default_rng(1)
    weight = module.get_parameter("0.weight")
    history = [weight.detach().double().numpy().copy()]
    for _ in range(steps):
        with torch.no_grad():
            weight += torch.from_numpy(rng.normal(0, 0.1, weight.shape)).float()
        average.update()
        history.append(weight.detach().double().numpy().copy())
    return history


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_the_average_is_the_sum_of_all_weights_each_with_its_share(decay: float) -> None:
    module = network()
    average = WeightAverage(module, decay)
    history = walk(module, average, 60)
    average.apply()
    shares = [decay**60, *((1 - decay) * decay ** (60 - step) for step in range(1, 61))]
    assert sum(shares) == pytest.approx(1)
    expected = sum(share * weight for share, weight in zip(shares, history, strict=True))
    found = module.get_parameter("0.weight").detach().double().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_frozen_weights_and_buffers_stay_those_of_the_network() -> None:
    module = network()
    average = WeightAverage(module, 0.9)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 1
        module.get_buffer("1.running_mean").fill_(7)
    kept = {name: value.clone() for name, value in module.state_dict().items()}
    average.update()
    average.apply()
    moved = {n for n, value in module.state_dict().items() if not torch.equal(value, kept[n])}
    assert moved == {"0.weight", "1.weight", "1.bias"}


def test_an_average_goes_on_from_its_state() -> None:
    module, other = network(), network()
    average, again = WeightAverage(module, 0.9), WeightAverage(other, 0.9)
    walk(module, average, 5)
    saved = {name: value.clone() for name, value in average.state_dict().items()}
    again.load_state_dict(saved)
    again.apply()
    average.apply()
    assert torch.equal(module.get_parameter("0.weight"), other.get_parameter("0.weight"))
