"""Near-synonyms: pairs of concepts whose embeddings are almost equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline.analysis.similar_concepts import nearest_pairs
from pipeline.store.artifact import stream
from schemas.table import as_matrix

if TYPE_CHECKING:
    from pipeline.gallery.connection_pool import ConnectionPool, Row

_PAIRS: Final = 200  # shown
_MAX_CONCEPTS: Final = 20_000  # 0.2 billion pairs, a few seconds on two cores


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
