"""Learning rates, step by step."""

from __future__ import annotations

import math

import pytest

from stages.training.schedule import Schedule


def test_warm_up_begins_at_a_thousandth_and_rises_linearly() -> None:
    schedule = Schedule(kind="constant", steps=100, warmup=10)
    assert schedule.factor(0) == pytest.approx(1e-3)
    assert schedule.factor(5) == pytest.approx(0.5005)
    assert schedule.factor(10) == 1


def test_warm_up_is_at_most_a_tenth_of_the_run() -> None:
    schedule = Schedule(kind="constant", steps=50, warmup=1000)
    assert schedule.factor(4) < 1
    assert schedule.factor(5) == 1


def test_a_run_of_one_step_has_no_warm_up() -> None:
    assert Schedule(kind="cosine", steps=1, warmup=1000).factor(0) == 1


def test_steps_fall_to_a_tenth_at_each_published_milestone() -> None:
    schedule = Schedule(kind="steps", steps=600_000, warmup=1000, milestones=(0.5, 0.875))
    at = (299_999, 300_000, 524_999, 525_000)
    assert [schedule.factor(s) for s in at] == pytest.approx([1, 0.1, 0.1, 0.01])


def test_cosine_is_half_in_the_middle_and_nearly_nothing_at_the_end() -> None:
    schedule = Schedule(kind="cosine", steps=1000)
    assert schedule.factor(500) == pytest.approx(0.5)
    assert 0 < schedule.factor(999) < 1e-5


@pytest.mark.parametrize("kind", ["constant", "steps", "cosine"])
def test_factors_are_above_zero_and_at_most_one(kind: str) -> None:
    schedule = Schedule(kind=kind, steps=200, warmup=30, milestones=(0.5,))
    factors = [schedule.factor(step) for step in range(200)]
    assert all(0 < f <= 1 for f in factors)
    assert all(math.isfinite(f) for f in factors)
