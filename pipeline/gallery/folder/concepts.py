"""Every concept's page at once: what `questions.concept` asks for one, asked for all.

Shapes: C concepts, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline import sql
from pipeline.gallery.questions import EXAMPLES, NEIGHBOURS
from pipeline.gallery.synonyms import directions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.gallery.connection_pool import Row

_BLOCK: Final = 512  # concepts compared with all at a time
_HISTOGRAMS: Final = """
SELECT concept, least(floor(probability * 20), 19)::INT AS bin, count(*) AS regions
FROM pseudo_labels GROUP BY ALL ORDER BY ALL
"""
_EXAMPLES: Final = """
SELECT concept, image_id, region, probability, in_caption, x0, y0, x1, y1
FROM pseudo_labels SEMI JOIN {shown} USING (image_id)
WHERE kept
QUALIFY {most} >= row_number() OVER (
    PARTITION BY concept ORDER BY probability {order}, image_id, region
)
ORDER BY concept, probability {order}, image_id, region
"""


def concept_pages(
    connection: Any, names: Sequence[str], shown: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each concept, in order, with what `questions.concept` answers.

    Args:
        connection: To the store.
        names: The concepts.
        shown: Table of the images whose regions may be examples, by image_id.
    """
    histograms = _by_concept(connection, _HISTOGRAMS)
    surest, unsure = (
        _by_concept(connection, _EXAMPLES.format(shown=shown, order=order, most=EXAMPLES))
        for order in ("DESC", "ASC")
    )
    near = _neighbours(connection)
    for name in names:
        yield (
            name,
            {
                "histogram": histograms.get(name, []),
                "surest": surest.get(name, []),
                "unsure": unsure.get(name, []),
                "near": near.get(name, []),
            },
        )


def _by_concept(connection: Any, statement: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for batch in sql.batches(sql.query(connection, statement)):
        for row in batch.to_pylist():
            found.setdefault(row.pop("concept"), []).append(row)
    return found


def _neighbours(connection: Any) -> dict[str, list[Row]]:
    """The concepts nearest to each in the space of texts, nearest first, of equals by name."""
    asked = "SELECT concept, embedding FROM concept_embeddings ORDER BY concept"
    rows = sql.batches(sql.query(connection, asked)).read_all()
    names = rows.column("concept").to_pylist()
    vectors = directions(
        np.stack(rows.column("embedding").to_numpy()) if names else np.zeros((0, 1))
    )
    most = min(NEIGHBOURS, len(names) - 1)
    found: dict[str, list[Row]] = {}
    for first in range(0, len(names), _BLOCK):
        cosines = vectors[first : first + _BLOCK] @ vectors.T
        cosines[np.arange(len(cosines)), first + np.arange(len(cosines))] = -np.inf
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :most]
        for at, chosen in enumerate(order):
            found[names[first + at]] = [
                {"concept": names[other], "cosine": float(cosines[at, other])} for other in chosen
            ]
    return found
