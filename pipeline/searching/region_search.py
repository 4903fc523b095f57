"""Region search: the k regions nearest to a vector, among those for which a predicate holds.

First the index returns more hits than needed, and the predicate filters them. If too few pass, the
index is asked for more; if even thousands leave too few, the predicate is evaluated first and every
region that passes is compared exactly. So there are k hits whenever k regions pass.

Shapes: D width.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from pipeline.searching.feature_corpus import RESULT_COLUMNS
from pipeline.store import exact, index
from pipeline.store.vectors import own_columns, unit
from schemas.errors import OptionError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from pipeline.searching.feature_corpus import FeatureCorpus

_OVERSAMPLING: Final = 4  # the first request to the index is for this many times k hits
_GROWTH: Final = 8
_MAX_INDEX_HITS: Final = 20_000  # beyond this, exact comparison is faster
_TIED: Final = 100  # hits beyond k: scores that are equal up to rounding come in any order
_SCORE_STEP: Final = 1e-6  # scores closer than this are equal: rounding depends on the position


def nearest_regions(
    corpus: FeatureCorpus,
    vector: NDArray[Any],
    k: int = 10,
    where: str | None = None,
    exclude: tuple[str, int] | None = None,
    device: str = "auto",
) -> pa.Table:
    """The k regions most similar to a vector, best first.

    Args:
        corpus: The features to search.
        vector: (D,), of any length.
        k: Number of hits, at least 1; fewer if there are no more.
        where: SQL predicate over the columns of `FeatureCorpus.regions`.
        exclude: Image and region that cannot be a hit: the query itself.
        device: Where FAISS searches; see `store.index.search`.

    Returns:
        Columns rank (from 1), score (cosine), image_id, region, x0, y0, x1, y1, objectness,
        concept and probability (null for a region without a label). Equal scores are ordered by
        part and row. A region whose feature has no direction is never a hit.

    Raises:
        OptionError: If k is not at least 1.
        SourceError: If the vector has no direction: all zeros, or not finite.
        ArtifactError: If the vector and the features differ in width.
        QueryError: If the predicate is not valid, or fails.
    """
    if k < 1:
        raise OptionError(f"--k must be at least 1, got {k}")
    k = min(k, max(1, corpus.features.manifest.rows))
    query = np.asarray(vector)[None]
    if not unit(query)[1].all():
        raise SourceError("the query vector has no direction: it is zero or not finite")
    with corpus.connect() as connection:
        requested = k * _OVERSAMPLING
        while True:
            candidates = _in_order(_search_index(corpus, query, requested, device))
            hits = _describe_hits(corpus, connection, candidates, where, exclude)
            if hits.num_rows >= k or candidates.num_rows >= corpus.features.manifest.rows:
                break
            requested *= _GROWTH
            if requested > _MAX_INDEX_HITS or candidates.num_rows < requested // _GROWTH:
                hits = _search_exactly(corpus, connection, query, k, where, exclude)
                break
    hits = hits.slice(0, k)
    ranks = pa.array(np.arange(1, hits.num_rows + 1, dtype=np.int32))
    return hits.add_column(0, "rank", ranks)


def _search_index(corpus: FeatureCorpus, query: NDArray[Any], k: int, device: str) -> pa.Table:
    with _progress(corpus) as advance:
        return index.search(corpus.features, query, k, device, advance)


@contextmanager
def _progress(corpus: FeatureCorpus) -> Iterator[Callable[[int], None]]:
    """Report one pass over all rows."""
    corpus.reporter.start("search", corpus.features.manifest.rows, "rows")
    try:
        yield corpus.reporter.advance
    finally:
        corpus.reporter.stop()


def _describe_hits(
    corpus: FeatureCorpus,
    connection: Any,
    candidates: pa.Table,
    where: str | None,
    exclude: tuple[str, int] | None,
) -> pa.Table:
    """Candidates that pass the predicate, without the query, with the columns of their regions."""
    if exclude is not None:
        image, region = (candidates.column(name).to_numpy() for name in ("image_id", "region"))
        candidates = candidates.filter(pa.array((image != exclude[0]) | (region != exclude[1])))
    regions = corpus.regions(connection, candidates.select(["image_id", "region"]), where)
    scores = candidates.column("score").take(regions.column("position"))
    return regions.select(list(RESULT_COLUMNS)).add_column(0, "score", scores)


def _search_exactly(
    corpus: FeatureCorpus,
    connection: Any,
    query: NDArray[Any],
    k: int,
    where: str | None,
    exclude: tuple[str, int] | None,
) -> pa.Table:
    """Hits from an exact comparison with every region that passes the predicate."""
    allowed = (lambda part: corpus.allowed(connection, part, where)) if where is not None else None
    with _progress(corpus) as advance:
        best = exact.search(corpus.features, query, k + 1 + _TIED, allowed, advance)
    rows = best.places[0]
    candidates = pa.table({"score": best.scores[0], "part": rows[:, 0], "row": rows[:, 1]})
    keyed = own_columns(corpus.features, _in_order(candidates))
    return _describe_hits(corpus, connection, keyed, where, exclude)


def _in_order(hits: pa.Table) -> pa.Table:
    """Hits best first, equal scores by part and row: an index returns those in any order."""
    score = np.round(hits.column("score").to_numpy().astype(np.float64) / _SCORE_STEP)
    order = np.lexsort((hits.column("row"), hits.column("part"), -score))
    return hits.take(pa.array(order))
