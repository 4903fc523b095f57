"""Estimates of audits, against brute force: all samples, or many."""

from __future__ import annotations

from itertools import combinations, product
from statistics import NormalDist

import numpy as np
import pytest

from stages.auditing.estimation import (
    Judgements,
    _variance,
    joined,
    share_right,
    student_quantile,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def test_over_all_samples_the_total_and_its_variance_are_unbiased(
    rng: np.random.Generator,
) -> None:
    sizes, drawn = np.array([4, 5, 2]), np.array([2, 3, 2])
    values = [rng.random(size) for size in sizes]
    totals, variances = [], []
    for picked in product(*(combinations(range(n), k) for n, k in zip(sizes, drawn, strict=True))):
        sample = [values[h][list(places)] for h, places in enumerate(picked)]
        strata = np.repeat(np.arange(3), drawn)
        totals.append(sum(n * s.mean() for n, s in zip(sizes, sample, strict=True)))
        variances.append(_variance(sizes, drawn, strata, np.concatenate(sample)))
    assert np.mean(totals) == pytest.approx(sum(v.sum() for v in values))
    assert np.mean(variances) == pytest.approx(np.var(totals))


def test_of_one_stratum_without_a_domain_it_is_wilsons_interval(rng: np.random.Generator) -> None:
    right = rng.random(300) < rng.uniform(0.2, 0.9)
    found = share_right(Judgements(np.array([10**9]), np.zeros(300, np.int64), right))
    share, n, z = right.mean(), 299, student_quantile(0.975, 299)  # n - 1: sample variance
    ends = (
        2 * n * share + z**2 + np.array([-1, 1]) * z * np.sqrt(z**2 + 4 * n * share * (1 - share))
    )
    assert (found.low, found.high) == pytest.approx(tuple(ends / (2 * (n + z**2))), abs=1e-6)
    assert (found.share, found.judged) == (pytest.approx(share), 300)


def test_labels_count_by_how_many_they_stand_for() -> None:
    sizes, strata = np.array([10, 90]), np.array([0, 0, 1, 1])
    right = np.array([True, True, True, False])
    found = share_right(Judgements(sizes, strata, right))
    assert found.share == pytest.approx((10 + 45) / 100)
    assert found.labels == pytest.approx(100)
    half = share_right(Judgements(sizes, strata, right), np.array([True, False, True, False]))
    assert (half.share, half.labels, half.judged) == (1.0, pytest.approx(50), 2)


def test_all_judged_alike_is_not_certain() -> None:
    found = share_right(Judgements(np.array([500, 500]), np.repeat([0, 1], 10), np.ones(20, bool)))
    assert (found.share, found.high) == (1.0, pytest.approx(1.0))
    assert 0.8 < found.low < 0.87  # Wilson's for 20 of 20 with a t of 18 degrees: 0.819


def test_a_domain_without_judgements_has_no_share() -> None:
    found = share_right(
        Judgements(np.array([5]), np.zeros(3, np.int64), np.ones(3, bool)), np.zeros(3, bool)
    )
    assert (found.share, found.low, found.high, found.judged) == (None, 0.0, 1.0, 0)


def test_all_labels_judged_leaves_no_doubt() -> None:
    right = np.array([True, False, True, True])
    found = share_right(Judgements(np.array([4]), np.zeros(4, np.int64), right))
    assert (found.share, found.low, found.high) == (0.75, 0.75, 0.75)


@pytest.mark.parametrize(
    ("strata", "sizes", "expected"),
    [
        ([0, 0, 1, 1], [5, 6], ([5, 6], [0, 0, 1, 1])),
        ([0, 1, 1], [5, 6], ([11], [0, 0, 0])),
        ([0, 0, 1], [5, 6], ([11], [0, 0, 0])),
        ([0, 0, 1], [5, 1], ([5, 1], [0, 0, 1])),  # all of it
        ([1, 1, 3, 3], [2, 3, 4, 5], ([5, 9], [0, 0, 1, 1])),
        ([2, 2], [1, 1, 9, 4], ([15], [0, 0])),
    ],
)
def test_strata_with_less_than_two_judgements_are_joined(strata, sizes, expected) -> None:  # type: ignore[no-untyped-def]
    joined_sizes, places = joined(np.array(sizes), np.array(strata))
    assert (joined_sizes.tolist(), places.tolist()) == expected


@pytest.mark.parametrize(
    ("freedom", "expected"), [(4, 2.77645), (10, 2.22814), (30, 2.04227), (200, 1.97190)]
)
def test_quantiles_of_students_t(freedom: int, expected: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(expected, abs=1e-3)
    assert student_quantile(0.025, freedom) == pytest.approx(-expected, abs=1e-3)
    assert student_quantile(0.9, 10**9) == pytest.approx(NormalDist().inv_cdf(0.9))


@pytest.mark.parametrize("share", [0.4, 0.9])
def test_intervals_hold_as_often_as_they_say(rng: np.random.Generator, share: float) -> None:
    sizes, drawn = np.array([4000, 2500, 1500, 800, 200]), np.array([60, 50, 40, 30, 20])
    rates = np.clip(share + np.array([0.1, 0.05, 0, -0.2, -0.35]), 0, 1)
    right = [rng.random(n) < rate for n, rate in zip(sizes, rates, strict=True)]
    truth = np.concatenate(right).mean()
    strata = np.repeat(np.arange(5), drawn)
    held = 0
    for _ in range(1000):
        sample = [
            r[rng.choice(len(r), k, replace=False)] for r, k in zip(right, drawn, strict=True)
        ]
        found = share_right(Judgements(sizes, strata, np.concatenate(sample)))
        held += found.low <= truth <= found.high
    assert 920 <= held <= 980  # 95 %, and more than four standard errors
