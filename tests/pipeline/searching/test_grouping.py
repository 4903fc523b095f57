"""Which of N things belong together."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.searching.grouping import Groups


def join(groups: Groups, *pairs: tuple[int, int, float]) -> None:
    a, b, score = (np.array(column) for column in zip(*pairs, strict=True))
    groups.join(a, b, score.astype(np.float32))


def told(groups: Groups) -> list[list[int]]:
    return [members.tolist() for members in groups.of_several()]


def test_things_that_no_pair_joins_are_in_no_group() -> None:
    groups = Groups(3)
    assert told(groups) == []
    assert groups.best.tolist() == [-1, -1, -1]
    assert told(Groups(0)) == []


def test_groups_grow_together_over_blocks() -> None:
    groups = Groups(7)
    join(groups, (5, 6, 0.5), (0, 1, 0.7))
    assert told(groups) == [[0, 1], [5, 6]]
    join(groups, (1, 5, 0.6), (2, 3, 0.9))
    assert told(groups) == [[0, 1, 5, 6], [2, 3]]
    assert groups.best.tolist() == pytest.approx([0.7, 0.7, 0.9, 0.9, -1, 0.6, 0.5])


def test_one_thing_may_join_many_groups_in_one_block() -> None:
    groups = Groups(9)
    join(groups, (1, 2, 1), (3, 4, 1), (5, 6, 1))
    join(groups, (6, 8, 1), (4, 8, 1), (2, 8, 1))
    assert told(groups) == [[1, 2, 3, 4, 5, 6, 8]]


@pytest.mark.parametrize("pairs", [1, 20, 150, 400])
def test_groups_are_those_of_a_flood(seed: int, pairs: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 200, (2, pairs))
    groups = Groups(200)
    for block in np.array_split(np.arange(pairs), 3):
        groups.join(a[block], b[block], np.ones(len(block), np.float32))
    reached = np.eye(200, dtype=bool)
    reached[a, b] = reached[b, a] = True
    for _ in range(8):  # each round doubles how far a chain has been followed
        reached = reached @ reached
    expected = {tuple(np.flatnonzero(row)) for row in reached}
    assert {tuple(group) for group in told(groups)} == {g for g in expected if len(g) > 1}
