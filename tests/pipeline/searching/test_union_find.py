"""Groups of items from pairs."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.searching.union_find import UnionFind


def join(groups: UnionFind, *pairs: tuple[int, int, float]) -> None:
    a, b, score = (np.array(column) for column in zip(*pairs, strict=True))
    groups.join(a, b, score.astype(np.float32))


def members(groups: UnionFind) -> list[list[int]]:
    return [group.tolist() for group in groups.groups()]


def test_items_without_a_pair_are_in_no_group() -> None:
    groups = UnionFind(3)
    assert members(groups) == []
    assert groups.best.tolist() == [-1, -1, -1]
    assert members(UnionFind(0)) == []


def test_groups_grow_from_block_to_block() -> None:
    groups = UnionFind(7)
    join(groups, (5, 6, 0.5), (0, 1, 0.7))
    assert members(groups) == [[0, 1], [5, 6]]
    join(groups, (1, 5, 0.6), (2, 3, 0.9))
    assert members(groups) == [[0, 1, 5, 6], [2, 3]]
    assert groups.best.tolist() == pytest.approx([0.7, 0.7, 0.9, 0.9, -1, 0.6, 0.5])


def test_one_item_may_join_many_groups_in_one_block() -> None:
    groups = UnionFind(9)
    join(groups, (1, 2, 1), (3, 4, 1), (5, 6, 1))
    join(groups, (6, 8, 1), (4, 8, 1), (2, 8, 1))
    assert members(groups) == [[1, 2, 3, 4, 5, 6, 8]]


@pytest.mark.parametrize("pairs", [1, 20, 150, 400])
def test_groups_equal_the_connected_components(seed: int, pairs: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 200, (2, pairs))
    groups = UnionFind(200)
    for block in np.array_split(np.arange(pairs), 3):
        groups.join(a[block], b[block], np.ones(len(block), np.float32))
    reached = np.eye(200, dtype=bool)
    reached[a, b] = reached[b, a] = True
    for _ in range(8):  # each round doubles how far a chain has been followed
        reached = reached @ reached
    expected = {tuple(np.flatnonzero(row)) for row in reached}
    assert {tuple(group) for group in members(groups)} == {g for g in expected if len(g) > 1}
