"""Reviews: what people said of pseudo-labels; the last word of each reviewer about each."""

from __future__ import annotations

from typing import Final

from schemas.table import Column, Table

VERDICTS: Final = ("right", "wrong", "wrong-box", "unsure")

REVIEWS = Table(
    name="reviews",
    version=2,
    doc="Reviews: what people said of pseudo-labels; the last word of each reviewer about each.",
    key=("image_id", "region", "reviewer"),
    columns=(
        Column("image_id", "string", "as in images"),
        Column("region", "int32", "as in proposals"),
        Column("concept_id", "int32", "as in pseudo_labels: what was judged"),
        Column("verdict", "string", ", ".join(VERDICTS)),
        Column("concept", "string", "what it is, if the reviewer said so", nullable=True),
        Column("x0", "float32", "left edge that it should have, if drawn", nullable=True),
        Column("y0", "float32", "top edge, pixels of the original image", nullable=True),
        Column("x1", "float32", "right edge, exclusive", nullable=True),
        Column("y1", "float32", "bottom edge, exclusive", nullable=True),
        Column("reviewer", "string", "who; empty if not given"),
        Column("time", "timestamp[ms, UTC]", "when, as far as known", nullable=True),
    ),
)
