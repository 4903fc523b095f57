"""Item 17: how parameters move."""

from __future__ import annotations

import pytest
import torch

from stages.train import Train
from stages.training.schedule import Schedule


def published(**changes) -> Train:
    return Train(steps=600_000, **changes)


def test_item_17_sgd_equals_the_written_out_update() -> None:
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64))
    optimiser = published().config(600_000).optimiser.create([parameter])
    expected, speed = parameter.detach().clone(), torch.zeros(3, dtype=torch.float64)
    for step in range(5):
        gradient = torch.tensor([0.3 * step, -1.0, 0.2], dtype=torch.float64)
        parameter.grad = gradient.clone()
        optimiser.step()
        speed = 0.9 * speed + gradient + 1e-4 * expected
        expected = expected - 0.002 * speed
    torch.testing.assert_close(parameter.detach(), expected)


def test_item_17_the_rate_warms_up_from_a_thousandth_and_drops_to_a_tenth_twice() -> None:
    config = published().config(600_000)

    def rate(step: int) -> float:
        return config.optimiser.learning_rate * config.schedule.factor(step)

    assert rate(0) == pytest.approx(0.002 * 1e-3)
    for step in (1, 250, 999):  # linear from a thousandth to one
        share = step / 1000
        assert rate(step) == pytest.approx(0.002 * (1e-3 * (1 - share) + share))
    assert rate(1000) == pytest.approx(0.002)
    assert rate(299_999) == pytest.approx(0.002)
    assert rate(300_000) == pytest.approx(0.0002)
    assert rate(524_999) == pytest.approx(0.0002)
    assert rate(525_000) == rate(599_999) == pytest.approx(0.00002)


@pytest.mark.parametrize(
    ("steps", "drops", "shares"),
    [
        (40_000, (20_000, 35_000), (0.5, 0.875)),  # COCO captions
        (90_000, (60_000, 80_000), (0.666667, 0.888889)),  # detectors on COCO, rounded shares
        (180_000, (120_000, 160_000), (0.6666666667, 0.8888888889)),  # detectors on LVIS
    ],
)
def test_item_17_the_drops_of_every_published_run_fall_on_their_step(steps, drops, shares) -> None:
    schedule = Schedule(kind="steps", steps=steps, milestones=shares)
    for number, drop in enumerate(drops):
        before = 10.0**-number
        assert schedule.factor(drop + 1) == pytest.approx(before / 10)
        assert schedule.factor(drop - 1) == pytest.approx(before)


def test_item_17_each_parameters_own_norm_is_limited_to_5() -> None:
    limits = published().config(600_000).optimiser
    assert (limits.clip, limits.clip_by) == (5.0, "parameter")
    small = torch.nn.Parameter(torch.zeros(3))
    large = torch.nn.Parameter(torch.zeros(2, 2))
    unused = torch.nn.Parameter(torch.zeros(1))
    small.grad = torch.tensor([3.0, 0.0, 3.9])
    large.grad = torch.full((2, 2), 50.0)
    limits.clip_gradients([small, large, unused])
    assert torch.equal(small.grad, torch.tensor([3.0, 0.0, 3.9]))  # norm 4.92 stays as it is
    torch.testing.assert_close(large.grad, torch.full((2, 2), 2.5))  # norm 100 becomes 5


def test_item_17_one_limit_for_all_is_an_option() -> None:
    limits = published(clip_by="total").config(10).optimiser
    first, second = torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))
    first.grad, second.grad = torch.tensor([30.0]), torch.tensor([40.0])
    limits.clip_gradients([first, second])
    torch.testing.assert_close(torch.cat([first.grad, second.grad]), torch.tensor([3.0, 4.0]))


def test_item_17_batch_and_length_are_the_published_ones() -> None:
    stage = Train()
    assert (stage.images_per_batch, stage.optimiser, stage.precision) == (96, "sgd", "float32")
    assert pytest.approx(600_000, rel=0.02) == 19 * 3_000_000 / 96  # passes over CC3M
    assert stage.epochs == 19
