"""Regions like a concept, or like another region, for every question a folder can be asked.

Only regions that are shown can be hits, and only so many of them: the work grows with the square.

Shapes: N regions, D width, K hits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline import sql
from pipeline.store.vectors import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

REGIONS: Final = 50_000  # compared with each other at most, the surest
_HITS: Final = 24
_BLOCK: Final = 256  # rows compared with all at a time
_SUREST: Final = """
SELECT image_id, region, feature FROM features SEMI JOIN (
    SELECT image_id, region FROM pseudo_labels SEMI JOIN {shown} USING (image_id)
    WHERE kept ORDER BY probability DESC, image_id, region LIMIT {most}
) USING (image_id, region)
ORDER BY image_id, region
"""
_TEXTS: Final = "SELECT concept, embedding FROM concept_embeddings ORDER BY concept"

Hit = tuple[str, int, float]  # image_id, region, cosine


class Likeness:
    """The regions that can be found, and what is like what.

    Args:
        connection: To the store, with features and concept embeddings.
        shown: Table of the images that may be found, by image_id.
    """

    def __init__(self, connection: Any, shown: str) -> None:
        asked = _SUREST.format(shown=shown, most=REGIONS)
        keys, self._vectors = _vectors(connection, asked, "feature")
        self._keys: list[tuple[str, int]] = [(key["image_id"], key["region"]) for key in keys]
        self._place = {key: place for place, key in enumerate(self._keys)}
        self._near = _nearest(self._vectors, self._vectors, but_itself=True)
        names, texts = _vectors(connection, _TEXTS, "embedding")
        self._concepts = {key["concept"]: place for place, key in enumerate(names)}
        self._like = _nearest(texts, self._vectors)

    def __len__(self) -> int:
        """How many regions can be found."""
        return len(self._keys)

    def of_region(self, image_id: str, region: int) -> list[Hit] | None:
        """The regions nearest to one, nearest first; None if it is not among those compared."""
        place = self._place.get((image_id, region))
        return None if place is None else self._hits(self._near, place)

    def of_concept(self, concept: str) -> list[Hit]:
        """The regions nearest to a concept, nearest first."""
        place = self._concepts.get(concept)
        return [] if place is None else self._hits(self._like, place)

    def _hits(self, found: tuple[NDArray[Any], NDArray[Any]], place: int) -> list[Hit]:
        rows, cosines = (array[place].tolist() for array in found)
        hits = zip(rows, cosines, strict=True)
        return [(*self._keys[row], cosine) for row, cosine in hits if np.isfinite(cosine)]


def _vectors(
    connection: Any, statement: str, column: str
) -> tuple[list[dict[str, Any]], NDArray[np.float32]]:
    """Rows without their vector, and unit vectors (N, D); of those that have a direction."""
    keys: list[dict[str, Any]] = []
    vectors = []
    for batch in sql.batches(sql.query(connection, statement)):
        if batch.num_rows:
            rows, kept = unit(np.stack(batch.column(column).to_numpy(zero_copy_only=False)))
            own = batch.drop_columns([column]).to_pylist()
            keys += [key for key, good in zip(own, kept, strict=True) if good]
            vectors.append(rows)
    return keys, np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32)


def _nearest(
    asking: NDArray[np.float32], found: NDArray[np.float32], *, but_itself: bool = False
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Rows and cosines of the K nearest to each, (., K) each, best first, of equals the earlier."""
    k = min(_HITS, len(found))
    rows = np.zeros((len(asking), k), np.int32)
    cosines = np.zeros((len(asking), k), np.float32)
    for first in range(0, len(asking) if k else 0, _BLOCK):
        scores = asking[first : first + _BLOCK] @ found.T
        at = np.arange(len(scores))
        if but_itself:
            scores[at, first + at] = -np.inf
        some = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
        values = np.take_along_axis(scores, some, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        rows[first + at] = np.take_along_axis(some, order, axis=1)
        cosines[first + at] = np.take_along_axis(values, order, axis=1)
    return rows, cosines
