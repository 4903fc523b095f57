"""Recall of the index: how many of the true nearest neighbours it finds, and how fast it is.

Shapes: Q queries, D width, K hits.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.store import exact, index, parts
from pipeline.store.vectors import unit, vector_column
from schemas.errors import ArtifactError, OptionError
from schemas.table import as_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.store.artifact import Artifact

_TOLERANCE = 1e-4  # between equal cosines: an inverted file holds half-precision vectors


@dataclass(frozen=True)
class IndexRecall:
    """How an index compares with exact search.

    Attributes:
        recall: Share of the K hits of each query that are among its K true nearest.
        k: Hits of a query.
        queries: Stored vectors used as queries.
        rows: Rows searched.
        kind: Type of the index, in words.
        index_ms: Milliseconds per query with the index, one query at a time, after it was loaded.
        exact_ms: Milliseconds per query by comparing every row, all queries together.
    """

    recall: float
    k: int
    queries: int
    rows: int
    kind: str
    index_ms: float
    exact_ms: float


def measure_recall(
    artifact: Artifact, queries: int = 100, k: int = 10, seed: int = 0, device: str = "auto"
) -> IndexRecall:
    """Compare the index with exact search; the queries are a random sample of stored vectors.

    Args:
        artifact: An artifact with vectors.
        queries: Vectors in the sample; fewer if the artifact has fewer.
        k: Hits compared.
        seed: Decides the sample.
        device: See `store.index.search`.

    Raises:
        OptionError: If `queries` or `k` is below 1.
        ArtifactError: If there are no vectors, or none with a direction.
    """
    if queries < 1 or k < 1:
        raise OptionError(f"--sample and --k must be at least 1, got {queries} and {k}")
    vectors = sample_vectors(artifact, queries, seed)
    if not len(vectors):
        raise ArtifactError(f"{artifact.address} has no vector with a direction to search by")
    started = time.perf_counter()
    best = exact.search(artifact, vectors, k)
    exact_s = time.perf_counter() - started
    scores, index_s = _search_timed(artifact, vectors, k, device)
    return IndexRecall(
        recall=_recall_at_k(scores, best.scores),
        k=k,
        queries=len(vectors),
        rows=artifact.manifest.rows,
        kind=index.kind(artifact),
        index_ms=1000 * index_s / len(vectors),
        exact_ms=1000 * exact_s / len(vectors),
    )


def sample_vectors(artifact: Artifact, count: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors (Q, D) of a uniform sample of the rows, in the order of the rows."""
    records = artifact.parts
    starts = np.cumsum([0, *(record.rows for record in records)])
    total = int(starts[-1])
    rng = np.random.default_rng(seed)
    sampled = np.sort(rng.choice(total, min(count, total), replace=False))
    vectors: list[NDArray[Any]] = []
    for record, start in zip(records, starts, strict=False):
        rows = sampled[(sampled >= start) & (sampled < start + record.rows)] - start
        if len(rows):
            path = artifact.part(record.number)
            column, _ = vector_column(artifact, path)
            values = as_matrix(parts.take(path, rows, [column]), column)
            vectors.append(values.astype(np.float32))
    return unit(np.concatenate(vectors))[0] if vectors else np.zeros((0, 1), np.float32)


def _search_timed(
    artifact: Artifact, queries: NDArray[np.float32], k: int, device: str
) -> tuple[NDArray[np.float32], float]:
    """The k best scores (Q, K) from the index, and the seconds of the search."""
    columns, seconds = [], 0.0
    for find in index.searchers(artifact, k, device):
        find(queries[:1])  # warm-up: the first search of a process is slower
        started = time.perf_counter()
        scores = [find(query[None])[0] for query in queries]
        seconds += time.perf_counter() - started
        columns.append(np.concatenate(scores))
    return -np.sort(-np.concatenate(columns, axis=1), axis=1)[:, :k], seconds


def _recall_at_k(scores: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Share of hits at least as good as the k-th true hit: equal scores are interchangeable."""
    return float((scores >= true[:, -1:] - _TOLERANCE).sum()) / true.size
