"""Similar concepts: pairs of embeddings with a high cosine."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from pipeline.analysis import similar_concepts
from pipeline.analysis.similar_concepts import nearest_pairs, unit_rows
from schemas.errors import OptionError


def cosines(vectors: np.ndarray) -> list[tuple[float, int, int]]:
    """Of all pairs, in float64, the highest first."""
    rows = vectors.astype(np.float64)
    norms = np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
    pairs = combinations(range(len(rows)), 2)
    of_pairs = [(-(rows[a] @ rows[b]) / norms[a] / norms[b], a, b) for a, b in pairs]
    return [(-cosine, a, b) for cosine, a, b in sorted(of_pairs)]


@pytest.mark.parametrize(("count", "limit"), [(2, 5), (7, 4), (90, 25), (90, 10_000)])
def test_the_nearest_pairs_equal_those_of_brute_force(
    count: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar_concepts, "_BLOCK", 16)
    vectors = np.random.default_rng(count).normal(size=(count, 12))
    pairs = nearest_pairs(vectors, limit)
    expected = cosines(vectors)[:limit]
    assert [(a, b) for a, b, _ in pairs] == [(a, b) for _, a, b in expected]
    np.testing.assert_allclose([c for *_, c in pairs], [c for c, *_ in expected], atol=1e-5)


@pytest.mark.parametrize("limit", [-1, 0.0, 0.3, 0.9, 1])
@pytest.mark.parametrize("count", [1, 2, 16, 90])
def test_all_pairs_above_a_minimum_equal_those_of_brute_force(
    count: int, limit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar_concepts, "_BLOCK", 16)
    vectors = np.random.default_rng(count).normal(size=(count, 6)).astype(np.float16)
    vectors[count // 2] = vectors[0]  # a pair of cosine 1
    first, second, cosine = similar_concepts.similar_concepts(vectors, limit)
    expected = [pair for pair in cosines(vectors) if pair[0] >= limit - 1e-6]
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == {
        (a, b) for _, a, b in expected
    }
    np.testing.assert_allclose(cosine, [c for c, *_ in expected], atol=1e-5)


def test_more_pairs_than_anybody_looks_at_are_refused_with_the_minimum_that_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(similar_concepts, "_BLOCK", 8)
    monkeypatch.setattr(similar_concepts, "_MOST_PAIRS", 100)
    vectors = np.random.default_rng(0).normal(size=(60, 4))
    with pytest.raises(
        OptionError, match="1,770 pairs of concepts have a cosine of at least -1, "
    ) as e:
        similar_concepts.similar_concepts(vectors, -1)
    fits = float(str(e.value).split("raise --min-cosine, to ")[1].split()[0])
    assert 80 < len(similar_concepts.similar_concepts(vectors, fits)[0]) <= 100


def test_equal_cosines_are_ordered_by_position() -> None:
    pairs = nearest_pairs(np.ones((4, 3)), 3)
    assert [(a, b) for a, b, _ in pairs] == [(0, 1), (0, 2), (0, 3)]
    first, second, _ = similar_concepts.similar_concepts(np.ones((4, 3)), 0.5)
    assert list(zip(first, second, strict=True)) == list(combinations(range(4), 2))


def test_a_vector_without_direction_has_cosine_zero() -> None:
    assert nearest_pairs(np.ones((1, 3)), 5) == []
    assert [cosine for *_, cosine in nearest_pairs(np.zeros((3, 2)), 5)] == [0, 0, 0]
    with_nan = np.array([[np.nan, 1.0], [0.0, 1.0], [1.0, 0.0]])
    assert nearest_pairs(with_nan, 1)[0][:2] == (0, 1)
    assert len(similar_concepts.similar_concepts(np.zeros((3, 2)), 0.1)[0]) == 0


def test_rows_without_direction_become_zero() -> None:
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 2.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0], [0, 1]], rtol=1e-6)
