"""Near-synonyms: the pairs of concepts with the highest cosine."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.gallery import synonyms
from pipeline.gallery.connection_pool import ConnectionPool

if TYPE_CHECKING:
    from pathlib import Path


def brute_force(vectors: np.ndarray, most: int) -> list[tuple[int, int]]:
    rows = vectors.astype(np.float64)
    norms = np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
    found = [
        (-(rows[a] @ rows[b]) / norms[a] / norms[b], a, b)
        for a, b in combinations(range(len(rows)), 2)
    ]
    return [(a, b) for _, a, b in sorted(found)[:most]]


@pytest.mark.parametrize(("count", "most"), [(2, 5), (7, 4), (90, 25), (90, 10_000)])
def test_the_pairs_are_those_of_comparing_all(
    count: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synonyms, "_BLOCK", 16)
    vectors = np.random.default_rng(count).normal(size=(count, 12))
    found = synonyms.nearest_pairs(vectors, most)
    assert [(a, b) for a, b, _ in found] == brute_force(vectors, most)
    for a, b, cosine in found:
        lengths = np.linalg.norm(vectors[a]) * np.linalg.norm(vectors[b])
        assert cosine == pytest.approx(vectors[a] @ vectors[b] / lengths, abs=1e-5)


def test_equals_come_in_the_order_of_the_pool() -> None:
    found = synonyms.nearest_pairs(np.ones((4, 3)), 3)
    assert [(a, b) for a, b, _ in found] == [(0, 1), (0, 2), (0, 3)]


def test_one_concept_and_empty_vectors_have_no_neighbours() -> None:
    assert synonyms.nearest_pairs(np.ones((1, 3)), 5) == []
    cosines = [cosine for *_, cosine in synonyms.nearest_pairs(np.zeros((3, 2)), 5)]
    assert cosines == [0, 0, 0]
    broken = np.array([[np.nan, 1.0], [0.0, 1.0], [1.0, 0.0]])
    assert synonyms.nearest_pairs(broken, 1)[0][:2] == (0, 1)


def test_a_large_pool_is_compared_in_part_and_says_so(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = ConnectionPool(root)
    whole = synonyms.near_synonyms(connections, "")
    assert whole["compared"] == whole["concepts"] > 3
    monkeypatch.setattr(synonyms, "_MOST", 3)
    part = synonyms.near_synonyms(connections, "")
    assert (part["compared"], part["concepts"]) == (3, whole["concepts"])
    assert len(part["pairs"]) == 3
