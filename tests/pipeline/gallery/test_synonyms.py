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


def brute_force(vectors: np.ndarray, limit: int) -> list[tuple[int, int]]:
    rows = vectors.astype(np.float64)
    norms = np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
    pairs = [
        (-(rows[a] @ rows[b]) / norms[a] / norms[b], a, b)
        for a, b in combinations(range(len(rows)), 2)
    ]
    return [(a, b) for _, a, b in sorted(pairs)[:limit]]


@pytest.mark.parametrize(("count", "limit"), [(2, 5), (7, 4), (90, 25), (90, 10_000)])
def test_the_pairs_equal_those_of_brute_force(
    count: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synonyms, "_BLOCK", 16)
    vectors = np.random.default_rng(count).normal(size=(count, 12))
    pairs = synonyms.nearest_pairs(vectors, limit)
    assert [(a, b) for a, b, _ in pairs] == brute_force(vectors, limit)
    for a, b, cosine in pairs:
        lengths = np.linalg.norm(vectors[a]) * np.linalg.norm(vectors[b])
        assert cosine == pytest.approx(vectors[a] @ vectors[b] / lengths, abs=1e-5)


def test_equal_cosines_are_ordered_by_position() -> None:
    pairs = synonyms.nearest_pairs(np.ones((4, 3)), 3)
    assert [(a, b) for a, b, _ in pairs] == [(0, 1), (0, 2), (0, 3)]


def test_a_vector_without_direction_has_cosine_zero() -> None:
    assert synonyms.nearest_pairs(np.ones((1, 3)), 5) == []
    cosines = [cosine for *_, cosine in synonyms.nearest_pairs(np.zeros((3, 2)), 5)]
    assert cosines == [0, 0, 0]
    with_nan = np.array([[np.nan, 1.0], [0.0, 1.0], [1.0, 0.0]])
    assert synonyms.nearest_pairs(with_nan, 1)[0][:2] == (0, 1)


def test_a_store_without_concepts_has_no_pairs(tmp_path: Path) -> None:
    pool = ConnectionPool(tmp_path / "store")
    assert synonyms.near_synonyms(pool, "") == {"pairs": [], "concepts": 0, "compared": 0}


def test_pairs_have_the_names_of_the_concepts(toy_pool: ConnectionPool) -> None:
    result = synonyms.near_synonyms(toy_pool, "")  # orthogonal embeddings
    rows = toy_pool.query("SELECT concept FROM concept_embeddings ORDER BY concept_id")
    names = [row["concept"] for row in rows]
    assert [(pair["concept"], pair["near"]) for pair in result["pairs"]] == list(
        combinations(names, 2)
    )
    assert {pair["cosine"] for pair in result["pairs"]} == {0}


def test_rows_without_direction_become_zero() -> None:
    rows = synonyms.unit_rows(np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 2.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0], [0, 1]], rtol=1e-6)


def test_only_the_first_concepts_of_a_large_pool_are_compared(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = ConnectionPool(root)
    complete = synonyms.near_synonyms(connections, "")
    assert complete["compared"] == complete["concepts"] > 3
    monkeypatch.setattr(synonyms, "_MAX_CONCEPTS", 3)
    part = synonyms.near_synonyms(connections, "")
    assert (part["compared"], part["concepts"]) == (3, complete["concepts"])
    assert len(part["pairs"]) == 3
