"""Near-synonyms: pairs of concepts whose embeddings are almost equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline.store.artifact import stream
from schemas.table import as_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.gallery.connection_pool import ConnectionPool, Row

_PAIRS: Final = 200  # shown
_MAX_CONCEPTS: Final = 20_000  # 0.2 billion pairs, a few seconds on two cores
_BLOCK: Final = 512  # concepts compared with all later ones at once


def near_synonyms(connections: ConnectionPool, labels: str) -> dict[str, Any]:
    """The pairs of concepts with the highest cosine, highest first.

    Returns:
        `pairs` of concept, near, cosine; `concepts`, the size of the pool; and `compared`, how many
        of them were compared: the first ones, which are the most frequent in captions.
    """
    artifact = connections.shown_artifact("concept_embeddings", labels)
    if artifact is None:
        return {"pairs": [], "concepts": 0, "compared": 0}
    batches = list(stream(artifact.files()))
    names = [name for batch in batches for name in batch.column("concept").to_pylist()]
    vectors = [as_matrix(batch, "embedding") for batch in batches]
    compared = min(len(names), _MAX_CONCEPTS)
    if compared < 2:
        return {"pairs": [], "concepts": len(names), "compared": compared}
    nearest = nearest_pairs(np.concatenate(vectors)[:compared], _PAIRS)
    pairs: list[Row] = [{"concept": names[a], "near": names[b], "cosine": c} for a, b, c in nearest]
    return {"pairs": pairs, "concepts": len(names), "compared": compared}


def unit_rows(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Rows (C, D) scaled to length 1; rows without direction become zero."""
    rows = np.nan_to_num(vectors.astype(np.float32))
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows


def nearest_pairs(vectors: NDArray[Any], count: int) -> list[tuple[int, int, float]]:
    """The pairs of rows with the highest cosine: (first, second, cosine), highest first.

    Args:
        vectors: (C, D); a row of length 0 has cosine 0 with every other.
        count: Maximal number of pairs.
    """
    rows = unit_rows(vectors)
    firsts, seconds = np.zeros(0, np.int64), np.zeros(0, np.int64)
    cosines, lowest = np.zeros(0, np.float32), -np.inf
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK] @ rows[start:].T
        block[np.tri(len(block), block.shape[1], dtype=bool)] = -np.inf  # itself and earlier pairs
        if start == 0 and block.size > count:
            lowest = float(np.partition(block, -count, axis=None)[-count])
        a, b = np.nonzero((block >= lowest) & (block > -np.inf))
        firsts = np.concatenate([firsts, a + start])
        seconds = np.concatenate([seconds, b + start])
        cosines = np.concatenate([cosines, block[a, b]])
        order = np.lexsort((seconds, firsts, -cosines))[:count]
        firsts, seconds, cosines = firsts[order], seconds[order], cosines[order]
        if len(cosines) == count:
            lowest = float(cosines[-1])
    return [(int(a), int(b), float(c)) for a, b, c in zip(firsts, seconds, cosines, strict=True)]
