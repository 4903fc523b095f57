"""Regions most similar to each concept and to each region, computed in advance.

Only regions of shown images can be hits, and at most `REGIONS` of them, because the work grows with
the square of their number.

Shapes: N regions, D width, K hits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline import sql
from pipeline.store.vectors import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

REGIONS: Final = 50_000  # compared with each other at most: those of the highest probability
_HITS: Final = 24
_BLOCK: Final = 256  # rows compared with all others at once
_FEATURES: Final = """
SELECT image_id, region, feature FROM features SEMI JOIN (
    SELECT image_id, region FROM pseudo_labels SEMI JOIN {shown} USING (image_id)
    WHERE kept ORDER BY probability DESC, image_id, region LIMIT {limit}
) USING (image_id, region)
ORDER BY image_id, region
"""
_CONCEPTS: Final = "SELECT concept, embedding FROM concept_embeddings ORDER BY concept"

Hit = tuple[str, int, float]  # image_id, region, cosine


class RegionNeighbours:
    """The regions that can be hits, and the nearest ones of each region and concept.

    Args:
        connection: A connection to a store with features and concept embeddings.
        shown: Table with the image_id of those images whose regions can be hits.
    """

    def __init__(self, connection: Any, shown: str) -> None:
        statement = _FEATURES.format(shown=shown, limit=REGIONS)
        keys, self._vectors = _unit_vectors(connection, statement, "feature")
        self._keys: list[tuple[str, int]] = [(key["image_id"], key["region"]) for key in keys]
        self._rows = {key: row for row, key in enumerate(self._keys)}
        self._near_regions = _nearest(self._vectors, self._vectors, exclude_self=True)
        names, embeddings = _unit_vectors(connection, _CONCEPTS, "embedding")
        self._concepts = {key["concept"]: row for row, key in enumerate(names)}
        self._near_concepts = _nearest(embeddings, self._vectors)

    def __len__(self) -> int:
        """How many regions can be hits."""
        return len(self._keys)

    def of_region(self, image_id: str, region: int) -> list[Hit] | None:
        """The regions nearest to a region, nearest first; None if it was not compared."""
        row = self._rows.get((image_id, region))
        return None if row is None else self._hits(self._near_regions, row)

    def of_concept(self, concept: str) -> list[Hit]:
        """The regions nearest to a concept, nearest first."""
        row = self._concepts.get(concept)
        return [] if row is None else self._hits(self._near_concepts, row)

    def _hits(self, nearest: tuple[NDArray[Any], NDArray[Any]], query: int) -> list[Hit]:
        rows, cosines = (array[query].tolist() for array in nearest)
        hits = zip(rows, cosines, strict=True)
        return [(*self._keys[row], cosine) for row, cosine in hits if np.isfinite(cosine)]


def _unit_vectors(
    connection: Any, statement: str, column: str
) -> tuple[list[dict[str, Any]], NDArray[np.float32]]:
    """Keys and unit vectors (N, D) of the rows whose vector has a direction."""
    keys: list[dict[str, Any]] = []
    vectors = []
    for batch in sql.batches(sql.query(connection, statement)):
        if batch.num_rows:
            units, valid = unit(np.stack(batch.column(column).to_numpy(zero_copy_only=False)))
            rows = batch.drop_columns([column]).to_pylist()
            keys += [key for key, has_direction in zip(rows, valid, strict=True) if has_direction]
            vectors.append(units)
    return keys, np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32)


def _nearest(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], *, exclude_self: bool = False
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Rows and cosines of the K vectors nearest to each query, (., K); ties by row."""
    k = min(_HITS, len(vectors))
    rows = np.zeros((len(queries), k), np.int32)
    cosines = np.zeros((len(queries), k), np.float32)
    for first in range(0, len(queries) if k else 0, _BLOCK):
        scores = queries[first : first + _BLOCK] @ vectors.T
        offsets = np.arange(len(scores))
        if exclude_self:
            scores[offsets, first + offsets] = -np.inf
        candidates = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
        values = np.take_along_axis(scores, candidates, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        rows[first + offsets] = np.take_along_axis(candidates, order, axis=1)
        cosines[first + offsets] = np.take_along_axis(values, order, axis=1)
    return rows, cosines
