"""Exact search: every vector of an artifact is compared, a block at a time, none kept in memory.

What an index is measured against, and what finds the last hits where a predicate leaves few rows.

Shapes: Q queries, R rows of a block, D width, K hits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.store.vectors import check_width, directions, unit, vector_column

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipeline.store.artifact import Artifact

    Allowed = Callable[[int], NDArray[np.bool_]]


class Best:
    """The K best of all scores shown so far, per query; of equals the earlier part and row."""

    def __init__(self, queries: int, k: int) -> None:
        self._k = k
        self.scores = np.zeros((queries, 0), np.float32)
        self.places = np.zeros((queries, 0, 2), np.int64)  # part, row

    def show(self, scores: NDArray[np.float32], part: int, rows: NDArray[np.int64]) -> None:
        """Take the scores (Q, R) of some rows (R,) of a part, both in rising order."""
        if scores.shape[1] > self._k:
            some = np.argpartition(-scores, self._k - 1, axis=1)[:, : self._k]
            worst = np.take_along_axis(scores, some, axis=1).min(axis=1)
            column = (scores >= worst[:, None]).any(axis=0)  # all that tie with the last one too
            scores, rows = scores[:, column], rows[column]
        positions = np.stack([np.full(len(rows), part), rows], axis=1)
        everything = np.concatenate([self.scores, scores], axis=1)
        repeated = np.broadcast_to(positions, (len(scores), *positions.shape))
        joined = np.concatenate([self.places, repeated], axis=1)
        order = np.argsort(-everything, axis=1, kind="stable")[:, : self._k]
        self.scores = np.take_along_axis(everything, order, axis=1)
        self.places = np.take_along_axis(joined, order[:, :, None], axis=1)


def search(
    artifact: Artifact,
    vectors: NDArray[Any],
    k: int,
    allowed: Allowed | None = None,
    advance: Callable[[int], None] = lambda rows: None,
) -> Best:
    """The k rows of an artifact most similar to each query, by comparing all of them.

    Args:
        artifact: One whose table has a vector column.
        vectors: (Q, D) queries that all have a direction; compared by direction alone.
        k: Hits per query, at least 1; fewer if the artifact has fewer.
        allowed: Which rows of a part may be hits, (rows of the part,); default: all.
        advance: Called with the number of rows of each part before it is compared.

    Raises:
        ArtifactError: If the artifact has no vectors, or of another width.
    """
    queries, _ = unit(np.asarray(vectors))
    best = Best(len(queries), k)
    for record in artifact.parts:
        path = artifact.part(record.number)
        column, width = vector_column(artifact, path)
        advance(record.rows)
        if not record.rows:
            continue
        check_width(artifact, width, queries.shape[1])
        mask = None if allowed is None else allowed(record.number)
        if mask is not None and not mask.any():
            continue
        for ids, rows in directions(path, column):
            if mask is not None:
                ids, rows = ids[mask[ids]], rows[mask[ids]]
            if len(ids):
                best.show(queries @ rows.T, record.number, ids)
    return best
