"""Reviews: what people said of pseudo-labels; the last word of each reviewer about each."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from schemas.table import Column, Table

VERDICTS: Final = ("right", "wrong", "wrong-box", "unsure")

REVIEWS = Table(
    name="reviews",
    version=1,
    doc="Reviews: what people said of pseudo-labels; the last word of each reviewer about each.",
    key=("image_id", "region", "reviewer"),
    columns=(
        Column("image_id", pa.string(), "as in images"),
        Column("region", pa.int32(), "as in proposals"),
        Column("concept_id", pa.int32(), "as in pseudo_labels: what was judged"),
        Column("verdict", pa.string(), ", ".join(VERDICTS)),
        Column("concept", pa.string(), "what it is, if the reviewer said so", nullable=True),
        Column("reviewer", pa.string(), "who; empty if not given"),
        Column("time", pa.timestamp("ms", "UTC"), "when"),
    ),
)
