"""Near-synonyms: the concepts of a pool whose embeddings almost coincide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline.store.artifact import stream
from schemas.table import as_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.gallery.connection_pool import ConnectionPool, Row

PAIRS: Final = 200  # shown
_MOST: Final = 20_000  # concepts compared: 0.2 billion pairs, some seconds of two cores
_BLOCK: Final = 512  # concepts compared with all later ones at a time


def synonyms(connections: ConnectionPool, labels: str) -> dict[str, Any]:
    """The pairs of concepts with the highest cosine, highest first.

    Returns:
        `pairs` of concept, near, cosine; `concepts` in the pool, and of them `compared`: the
        first of the pool, which are the most frequent of one that captions gave.
    """
    artifact = connections.shown("concept_embeddings", labels)
    if artifact is None:
        return {"pairs": [], "concepts": 0, "compared": 0}
    batches = list(stream(artifact.files()))
    names = [name for batch in batches for name in batch.column("concept").to_pylist()]
    vectors = [as_matrix(batch, "embedding") for batch in batches]
    compared = min(len(names), _MOST)
    if compared < 2:
        return {"pairs": [], "concepts": len(names), "compared": compared}
    found = nearest_pairs(np.concatenate(vectors)[:compared], PAIRS)
    pairs: list[Row] = [{"concept": names[a], "near": names[b], "cosine": c} for a, b, c in found]
    return {"pairs": pairs, "concepts": len(names), "compared": compared}


def directions(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Unit rows (C, D); those that have no direction are zero, like nothing."""
    rows = np.nan_to_num(vectors.astype(np.float32))
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows


def nearest_pairs(vectors: NDArray[Any], most: int) -> list[tuple[int, int, float]]:
    """The pairs of rows with the highest cosine: (first, second, cosine), highest first.

    Args:
        vectors: (C, D); rows of length 0 are like nothing.
        most: How many pairs at most.
    """
    rows = directions(vectors)
    firsts, seconds = np.zeros(0, np.int64), np.zeros(0, np.int64)
    cosines, least = np.zeros(0, np.float32), -np.inf
    for start in range(0, len(rows), _BLOCK):
        like = rows[start : start + _BLOCK] @ rows[start:].T
        like[np.tri(len(like), like.shape[1], dtype=bool)] = -np.inf  # itself, and pairs met before
        if start == 0 and like.size > most:
            least = float(np.partition(like, -most, axis=None)[-most])
        a, b = np.nonzero((like >= least) & (like > -np.inf))
        firsts = np.concatenate([firsts, a + start])
        seconds = np.concatenate([seconds, b + start])
        cosines = np.concatenate([cosines, like[a, b]])
        order = np.lexsort((seconds, firsts, -cosines))[:most]
        firsts, seconds, cosines = firsts[order], seconds[order], cosines[order]
        if len(cosines) == most:
            least = float(cosines[-1])
    return [(int(a), int(b), float(c)) for a, b, c in zip(firsts, seconds, cosines, strict=True)]
