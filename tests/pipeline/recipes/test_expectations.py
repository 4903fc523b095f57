"""Means and deviations of several runs, and verdicts on expectations."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from pipeline.recipes.expectations import judge, summary
from pipeline.recipes.table_spec import Expectation


def test_a_summary_has_the_mean_and_the_deviation_of_a_sample() -> None:
    values = np.random.default_rng(3).normal(40, 5, 7).tolist()
    result = summary(values)
    assert result.mean == pytest.approx(np.mean(values))
    assert result.deviation == pytest.approx(np.std(values, ddof=1))
    assert result.count == 7
    assert result.span == (result.mean - result.deviation, result.mean + result.deviation)


def test_a_single_number_has_no_deviation() -> None:
    assert summary([4.0]).deviation == 0


def test_a_summary_of_nothing_is_an_error() -> None:
    with pytest.raises(statistics.StatisticsError):
        summary([])


@pytest.mark.parametrize(
    ("expected", "values", "other", "met"),
    [
        (Expectation(above="x", by=3.0), [5.0, 6.0, 7.0], [1.0, 2.0, 2.5], True),
        (Expectation(above="x", by=3.0), [5.0, 6.0, 7.0], [3.0, 4.0, 5.0], False),
        (Expectation(above="x", by=2.0), [5.0, 6.0, 7.0], [3.0, 4.0, 5.0], True),
        (Expectation(above="x"), [5.0], [5.0], False),
        (Expectation(below="x"), [5.0], [4.0], False),
        (Expectation(below="x"), [3.0], [4.0], True),
        (Expectation(below="x", by=1.5), [3.0], [4.0], False),
        (Expectation(same_as="x", by=0.5), [1.0, 2.0], [1.2, 1.7], True),
        (Expectation(same_as="x", by=0.5), [1.0, 2.0], [3.0, 4.0], False),
        (Expectation(same_as="x"), [1.0], [1.0], True),
    ],
)
def test_an_expectation_is_met_by_the_sign_and_size_of_the_mean_difference(
    expected: Expectation, values: list[float], other: list[float], met: bool
) -> None:
    assert judge(expected, values, other).met is met


def test_agreeing_counts_the_pairs_with_the_expected_sign() -> None:
    values, other = [1.0, 2.0, 3.0, 4.0], [0.5, 2.0, 3.5, 1.0]
    assert judge(Expectation(above="x"), values, other).agreeing == 2
    assert judge(Expectation(below="x"), values, other).agreeing == 1
    assert judge(Expectation(same_as="x", by=0.5), values, other).agreeing == 3


def test_rows_are_apart_if_their_intervals_do_not_overlap() -> None:
    expected = Expectation(above="x")
    assert judge(expected, [5.0, 6.0, 7.0], [1.0, 2.0, 3.0]).apart  # 5 to 7, 1 to 3
    assert not judge(expected, [3.0, 4.0, 5.0], [1.0, 2.0, 3.0]).apart  # 3 to 5, 1 to 3
    assert judge(expected, [1.0, 2.0, 3.0], [5.0, 6.0, 7.0]).apart


def test_the_difference_is_over_pairs_not_over_all_runs() -> None:
    verdict = judge(Expectation(above="x"), [10.0, 20.0, 30.0], [9.0, 19.0, 29.0])
    assert (verdict.difference.mean, verdict.difference.deviation) == (1, 0)
    assert not verdict.apart


def test_rows_with_another_number_of_runs_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        judge(Expectation(above="x"), [1.0, 2.0], [1.0])
