"""The pages of all concepts at once: the same answers as `page_queries.concept`, in few queries.

Shapes: C concepts, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline import sql
from pipeline.analysis.similar_concepts import unit_rows
from pipeline.gallery.page_queries import EXAMPLES, NEIGHBOURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.gallery.connection_pool import Row

_BLOCK: Final = 512  # concepts compared with all others at once
_HISTOGRAMS: Final = """
SELECT concept, least(floor(probability * 20), 19)::INT AS bin, count(*) AS regions
FROM pseudo_labels GROUP BY ALL ORDER BY ALL
"""
_EXAMPLES: Final = """
SELECT concept, image_id, region, probability, in_caption, x0, y0, x1, y1
FROM pseudo_labels SEMI JOIN {shown} USING (image_id)
WHERE kept
QUALIFY {limit} >= row_number() OVER (
    PARTITION BY concept ORDER BY probability {order}, image_id, region
)
ORDER BY concept, probability {order}, image_id, region
"""


def concept_pages(
    connection: Any, names: Sequence[str], shown: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each concept, in order, with the answer of `page_queries.concept`.

    Args:
        connection: A connection to the store.
        names: The concepts.
        shown: Table with the image_id of those images whose regions may be examples.
    """
    histograms = _rows_by_concept(connection, _HISTOGRAMS)
    highest, lowest = (
        _rows_by_concept(connection, _EXAMPLES.format(shown=shown, order=order, limit=EXAMPLES))
        for order in ("DESC", "ASC")
    )
    neighbours = _nearest_concepts(connection)
    for name in names:
        yield (
            name,
            {
                "histogram": histograms.get(name, []),
                "surest": highest.get(name, []),
                "unsure": lowest.get(name, []),
                "near": neighbours.get(name, []),
            },
        )


def _rows_by_concept(connection: Any, statement: str) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for batch in sql.batches(sql.query(connection, statement)):
        for row in batch.to_pylist():
            rows.setdefault(row.pop("concept"), []).append(row)
    return rows


def _nearest_concepts(connection: Any) -> dict[str, list[Row]]:
    """The concepts most similar to each one, by cosine of embeddings and then by name."""
    statement = "SELECT concept, embedding FROM concept_embeddings ORDER BY concept"
    rows = sql.batches(sql.query(connection, statement)).read_all()
    names = rows.column("concept").to_pylist()
    vectors = unit_rows(
        np.stack(rows.column("embedding").to_numpy()) if names else np.zeros((0, 1))
    )
    count = min(NEIGHBOURS, len(names) - 1)
    nearest: dict[str, list[Row]] = {}
    for first in range(0, len(names), _BLOCK):
        cosines = vectors[first : first + _BLOCK] @ vectors.T
        cosines[np.arange(len(cosines)), first + np.arange(len(cosines))] = -np.inf
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
        for row, others in enumerate(order):
            nearest[names[first + row]] = [
                {"concept": names[other], "cosine": float(cosines[row, other])} for other in others
            ]
    return nearest
