"""Recall: how many of the true nearest neighbours the index finds, and how fast it is.

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

_EQUAL = 1e-4  # cosines this near are equal: an inverted file holds half-precision vectors


@dataclass(frozen=True)
class Recall:
    """How an index compares with exact search.

    Attributes:
        recall: Share of the K hits of each query that are among its K true nearest.
        k: Hits asked for.
        queries: Stored vectors that asked.
        rows: Rows searched.
        kind: What the index is, in words.
        index_ms: Milliseconds a query by the index, one query at a time, once it is read.
        exact_ms: Milliseconds a query by reading and comparing everything, all queries in one go.
    """

    recall: float
    k: int
    queries: int
    rows: int
    kind: str
    index_ms: float
    exact_ms: float


def measure(
    artifact: Artifact, queries: int = 100, k: int = 10, seed: int = 0, device: str = "auto"
) -> Recall:
    """Compare the index with exact search, asked by a random sample of the stored vectors.

    Args:
        artifact: One with vectors.
        queries: Vectors in the sample; fewer if the artifact has fewer.
        k: Hits compared.
        seed: Decides the sample.
        device: See `store.index.search`.

    Raises:
        OptionError: If there are to be no queries or no hits.
        ArtifactError: If there are no vectors, or none with a direction.
    """
    if queries < 1 or k < 1:
        raise OptionError(f"--sample and --k must be at least 1, got {queries} and {k}")
    asked = sample(artifact, queries, seed)
    if not len(asked):
        raise ArtifactError(f"{artifact.address} has no vector with a direction to search by")
    started = time.perf_counter()
    best = exact.search(artifact, asked, k)
    exact_s = time.perf_counter() - started
    found, index_s = _timed(artifact, asked, k, device)
    return Recall(
        recall=_recall(found, best.scores),
        k=k,
        queries=len(asked),
        rows=artifact.manifest.rows,
        kind=index.kind(artifact),
        index_ms=1000 * index_s / len(asked),
        exact_ms=1000 * exact_s / len(asked),
    )


def sample(artifact: Artifact, count: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors (Q, D) of some rows, each row as likely as any other; in order of rows."""
    records = artifact.manifest.parts
    starts = np.cumsum([0, *(record.rows for record in records)])
    total = int(starts[-1])
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(total, min(count, total), replace=False))
    found: list[NDArray[Any]] = []
    for record, start in zip(records, starts, strict=False):
        rows = chosen[(chosen >= start) & (chosen < start + record.rows)] - start
        if len(rows):
            path = artifact.part(record.number)
            column, _ = vector_column(artifact, path)
            found.append(as_matrix(parts.take(path, rows, [column]), column).astype(np.float32))
    return unit(np.concatenate(found))[0] if found else np.zeros((0, 1), np.float32)


def _timed(
    artifact: Artifact, asked: NDArray[np.float32], k: int, device: str
) -> tuple[NDArray[np.float32], float]:
    """The k best scores (Q, K) by the index, and the seconds it took to find them."""
    columns, seconds = [], 0.0
    for find in index.searchers(artifact, k, device):
        find(asked[:1])  # the first search of a process pays for what later ones have for nothing
        started = time.perf_counter()
        scores = [find(query[None])[0] for query in asked]
        seconds += time.perf_counter() - started
        columns.append(np.concatenate(scores))
    return -np.sort(-np.concatenate(columns, axis=1), axis=1)[:, :k], seconds


def _recall(found: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Share of hits as good as the k-th of the truth: equals may stand for each other."""
    return float((found >= true[:, -1:] - _EQUAL).sum()) / true.size
