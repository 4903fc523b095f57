"""Near-synonyms: the pairs of concepts with the highest cosine."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from pipeline.gallery import synonyms
from pipeline.gallery.connection_pool import ConnectionPool

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
