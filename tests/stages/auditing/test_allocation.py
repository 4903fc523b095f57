"""Allocation of a sample to strata, against trying all of them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.auditing.allocation import FEWEST, allocate

STRATA = st.lists(st.tuples(st.integers(1, 9), st.floats(0.05, 0.5)), min_size=1, max_size=3).map(
    lambda rows: (np.array([n for n, _ in rows]), np.array([s for _, s in rows]))
)


def variance(sizes: np.ndarray, deviations: np.ndarray, drawn: tuple[int, ...]) -> float:
    """Of an estimated total, with the deviations that were expected."""
    return float((sizes**2 * deviations**2 / np.array(drawn)).sum())


@given(STRATA, st.integers(6, 14))
def test_no_other_allocation_has_a_smaller_variance(
    strata: tuple[np.ndarray, np.ndarray], total: int
) -> None:
    sizes, deviations = strata
    drawn = allocate(sizes, deviations, total)
    total = min(total, int(sizes.sum()))
    assert drawn.sum() == total
    possible = product(*(range(min(FEWEST, n), n + 1) for n in sizes.tolist()))
    best = min(variance(sizes, deviations, d) for d in possible if sum(d) == total)
    assert variance(sizes, deviations, tuple(drawn)) == pytest.approx(best)


@given(STRATA, st.integers(6, 30), st.integers(0, 9))
def test_a_larger_sample_has_as_many_of_each_stratum(
    strata: tuple[np.ndarray, np.ndarray], total: int, more: int
) -> None:
    assert (allocate(*strata, total + more) >= allocate(*strata, total)).all()


def test_a_sample_that_cannot_have_every_stratum_is_refused() -> None:
    with pytest.raises(ValueError, match="3 strata need 5 labels, not 4"):
        allocate(np.array([1, 7, 9]), np.full(3, 0.5), 4)


def test_all_labels_are_drawn_where_there_are_fewer_than_asked_for() -> None:
    assert allocate(np.array([1, 7]), np.full(2, 0.5), 100).tolist() == [1, 7]
