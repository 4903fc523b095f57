from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.store.exact import Best, search
from schemas.errors import ArtifactError
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Featurize

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


def by_sorting(scores: np.ndarray, places: list[tuple[int, int]], k: int) -> list[list[tuple]]:
    """The k best of each query by sorting all of them: higher scores, then earlier rows, first."""
    return [
        [(places[i], row[i]) for i in sorted(range(len(row)), key=lambda i: (-row[i], places[i]))][
            :k
        ]
        for row in scores
    ]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("k", [1, 3, 50])
def test_blocks_give_what_sorting_everything_gives_ties_included(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    best = Best(queries=4, k=k)
    columns, places = [], []
    for part in range(3):
        start = 0
        for width in rng.integers(1, 9, size=3):
            scores = rng.integers(0, 4, size=(4, width)).astype(np.float32)  # many ties
            rows = start + np.arange(width) * 2
            best.show(scores, part, rows)
            columns.append(scores)
            places += [(part, int(row)) for row in rows]
            start = int(rows[-1]) + 1
    expected = by_sorting(np.concatenate(columns, axis=1), places, k)
    actual = [
        [
            (tuple(place), score)
            for place, score in zip(row_places.tolist(), row_scores, strict=True)
        ]
        for row_places, row_scores in zip(best.places, best.scores, strict=True)
    ]
    assert actual == expected


def test_before_anything_is_shown_there_is_nothing() -> None:
    best = Best(queries=2, k=5)
    assert best.scores.shape == (2, 0)
    assert best.places.shape == (2, 0, 2)


@pytest.fixture
def features(root: Path) -> Artifact:
    return make_all(root)["features"]


def test_a_search_finds_what_comparing_in_float64_finds(features: Artifact) -> None:
    from schemas.table import as_matrix
    from tests.pipeline.helpers import rows_of

    matrix = as_matrix(rows_of(features), "feature").astype(np.float64)
    directed = np.flatnonzero(np.linalg.norm(matrix, axis=1) > 0)
    units = matrix[directed] / np.linalg.norm(matrix[directed], axis=1, keepdims=True)
    queries = np.random.default_rng(1).normal(size=(3, matrix.shape[1]))
    cosines = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ units.T
    best = search(features, queries, k=4)
    expected = -np.sort(-cosines, axis=1)[:, :4]
    np.testing.assert_allclose(best.scores, expected, atol=1e-6)


def test_only_rows_that_are_allowed_are_hits(features: Artifact) -> None:
    rows = {record.number: record.rows for record in features.parts}
    number = features.numbers[1]

    def allowed(part: int) -> np.ndarray:
        mask = np.zeros(rows[part], bool)
        mask[:2] = part == number
        return mask

    best = search(features, np.ones((1, 6)), k=9, allowed=allowed)
    assert best.places[0].tolist()
    assert {tuple(place) for place in best.places[0].tolist()} <= {(number, 0), (number, 1)}


def test_more_hits_than_rows_are_all_rows_with_a_direction(features: Artifact) -> None:
    best = search(features, np.ones((2, 6)), k=10_000)
    assert best.scores.shape[1] <= features.manifest.rows
    assert len({tuple(place) for place in best.places[0].tolist()}) == best.scores.shape[1]


def test_a_query_of_another_width_is_refused(root: Path) -> None:
    make_all(root)
    wide = make(Featurize(width=8), root)
    with pytest.raises(ArtifactError, match="holds vectors of 8 numbers, the query has 6"):
        search(wide, np.ones((1, 6)), k=1)


def test_an_artifact_without_vectors_cannot_be_searched(root: Path) -> None:
    images = make_all(root)["images"]
    with pytest.raises(ArtifactError, match="has no vectors to search"):
        search(images, np.ones((1, 6)), k=1)
