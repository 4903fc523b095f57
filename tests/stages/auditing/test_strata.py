"""Strata of quantities and names, against sorting all of them."""

from __future__ import annotations

import numpy as np
import pytest

from stages.auditing.strata import GroupedCount, NameCount, RangeCount


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def test_equal_values_are_one_stratum() -> None:
    count = RangeCount()
    count.add(np.ones(50, np.float32), np.full(50, 0.5))
    assert [count.divide(10).names, count.divide(10).sizes.tolist()] == [["1"], [50]]


def test_ranges_are_in_order_and_have_equal_shares(rng: np.random.Generator) -> None:
    values = rng.normal(size=20000).astype(np.float32)
    count = RangeCount()
    for piece in np.split(values, 4):
        count.add(piece, np.full(len(piece), 0.5))
    strata = count.divide(8)
    places = count.strata(values)
    assert np.bincount(places).tolist() == strata.sizes.tolist()
    assert np.abs(strata.sizes - 2500).max() < 25  # a bin holds at most 1 part in 2,048
    assert all(values[places == h].max() <= values[places == h + 1].min() for h in range(7))


def test_rare_names_are_one_stratum() -> None:
    count = NameCount()
    for _ in range(2):
        count.add(np.array([7, 7, 7, 1, 1, 3, 4]), np.full(7, 0.5))
    strata = count.divide(3)
    assert (list(strata.names), strata.sizes.tolist()) == (["7", "1", "others"], [6, 4, 4])
    assert count.strata(np.array([1, 3, 4, 7])).tolist() == [1, 2, 2, 0]


def test_what_is_not_known_is_called_so() -> None:
    count = RangeCount()
    count.add(np.array([np.nan, np.nan, 1, 1], np.float32), np.full(4, 0.5))
    assert list(count.divide(2).names) == ["1", "unknown"]
    assert list(count.divide(1).names) == ["1 to unknown"]


def test_groups_have_ranges_of_their_own_in_proportion_to_what_is_expected(
    rng: np.random.Generator,
) -> None:
    groups = np.repeat([0, 1], [6000, 2000])
    values = rng.normal(size=8000).astype(np.float32)
    count = GroupedCount(("a", "b"))
    for piece in np.split(rng.permutation(8000), 4):
        count.add(groups[piece], values[piece], np.full(2000, 0.5))
    strata = count.divide(8)
    assert [name.split(",")[0] for name in strata.names] == ["a"] * 6 + ["b"] * 2
    places = count.strata(groups, values)
    assert np.bincount(places, minlength=8).tolist() == strata.sizes.tolist()
    assert set(places[groups == 0]) == set(range(6))
    for low, high in ((0, 6), (6, 8)):
        for h in range(low, high - 1):
            assert values[places == h].max() <= values[places == h + 1].min()


def test_a_group_without_labels_has_no_stratum_and_a_small_one_has_one() -> None:
    count = GroupedCount(("none", "many", "few"))
    groups = np.repeat([1, 2], [500, 3])
    values = np.arange(503, dtype=np.float32)
    count.add(groups, values, np.full(503, 0.4))
    strata = count.divide(4)
    assert [name.split(",")[0] for name in strata.names] == ["many"] * 4 + ["few"]
    assert strata.sizes.sum() == 503
    assert count.strata(groups, values)[-3:].tolist() == [4, 4, 4]
