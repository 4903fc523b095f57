"""Hits: the k regions nearest to a vector, of those for which a predicate holds.

The index is asked for more hits than wanted and the predicate filters them. If few pass, it is
asked for more; if even thousands leave too few, the predicate goes first and what it allows is
compared one by one, so that k hits are found wherever there are k.

Shapes: D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from pipeline.searching.feature_corpus import SHOWN
from pipeline.store import exact, index
from pipeline.store.vectors import own_columns, unit
from schemas.errors import OptionError, SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.searching.feature_corpus import FeatureCorpus

_MORE: Final = 4  # times as many hits as wanted are asked for, at first
_GROWTH: Final = 8
_MOST: Final = 20_000  # hits asked of the index; more are found sooner by comparing
_TIED: Final = 100  # more than wanted: scores that are equal but for rounding come in any order
_ALIKE: Final = 1e-6  # scores nearer to each other are equal: rounding differs by place


def nearest(
    corpus: FeatureCorpus,
    vector: NDArray[Any],
    k: int = 10,
    where: str | None = None,
    but: tuple[str, int] | None = None,
    device: str = "auto",
) -> pa.Table:
    """The k regions most similar to a vector, best first.

    Args:
        corpus: What is searched.
        vector: (D,), of any length.
        k: Hits, at least 1; fewer if there are no more.
        where: SQL predicate over the columns of `FeatureCorpus.regions`.
        but: Image and region that is no hit: the one that asks.
        device: Where FAISS searches; see `store.index.search`.

    Returns:
        Columns rank (from 1), score (cosine), image_id, region, x0, y0, x1, y1, objectness,
        concept and probability (null where nobody named the region). Of equal scores the earlier
        part and row come first. Regions whose feature has no direction are no hits.

    Raises:
        OptionError: If k is not at least 1.
        SourceError: If the vector has no direction: all zeros, or not finite.
        ArtifactError: If the vector has another width than the features.
        QueryError: If the predicate is none, or fails.
    """
    if k < 1:
        raise OptionError(f"--k must be at least 1, got {k}")
    k = min(k, max(1, corpus.features.manifest.rows))
    query = np.asarray(vector)[None]
    if not unit(query)[1].all():
        raise SourceError("what is searched for has no direction: its vector is zero or not finite")
    with corpus.connect() as connection:
        asked = k * _MORE
        while True:
            hits = _in_order(index.search(corpus.features, query, asked, device))
            found = _known(corpus, connection, hits, where, but)
            if found.num_rows >= k or hits.num_rows >= corpus.features.manifest.rows:
                break
            asked *= _GROWTH
            if asked > _MOST or hits.num_rows < asked // _GROWTH:
                found = _compared(corpus, connection, query, k, where, but)
                break
    found = found.slice(0, k)
    ranks = pa.array(np.arange(1, found.num_rows + 1, dtype=np.int32))
    return found.add_column(0, "rank", ranks)


def _known(
    corpus: FeatureCorpus,
    connection: Any,
    hits: pa.Table,
    where: str | None,
    but: tuple[str, int] | None,
) -> pa.Table:
    """Hits, but the one that asks, with what is known of them, where the predicate holds."""
    if but is not None:
        image, region = (hits.column(name).to_numpy() for name in ("image_id", "region"))
        hits = hits.filter(pa.array((image != but[0]) | (region != but[1])))
    known = corpus.regions(connection, hits.select(["image_id", "region"]), where)
    scores = hits.column("score").take(known.column("place"))
    return known.select(list(SHOWN)).add_column(0, "score", scores)


def _compared(
    corpus: FeatureCorpus,
    connection: Any,
    query: NDArray[Any],
    k: int,
    where: str | None,
    but: tuple[str, int] | None,
) -> pa.Table:
    """Hits found by comparing every region that the predicate allows."""
    best = exact.search(
        corpus.features,
        query,
        k + 1 + _TIED,
        (lambda part: corpus.allowed(connection, part, where)) if where else None,
    )
    places = best.places[0]
    hits = pa.table({"score": best.scores[0], "part": places[:, 0], "row": places[:, 1]})
    found = own_columns(corpus.features, _in_order(hits))
    return _known(corpus, connection, found, where, but)


def _in_order(hits: pa.Table) -> pa.Table:
    """Hits best first, of equals by part and row: an index leaves their order to chance."""
    score = np.round(hits.column("score").to_numpy().astype(np.float64) / _ALIKE)
    order = np.lexsort((hits.column("row"), hits.column("part"), -score))
    return hits.take(pa.array(order))
