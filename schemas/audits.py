"""Audits: pseudo-labels drawn at random to be judged, and how many others each stands for."""

from __future__ import annotations

import pyarrow as pa

from schemas.table import Column, Table

AUDITS = Table(
    name="audits",
    version=1,
    doc="Audits: pseudo-labels drawn at random to be judged, and how many others each stands for.",
    key=("image_id", "region"),
    columns=(
        Column("image_id", pa.string(), "as in images"),
        Column("region", pa.int32(), "as in proposals"),
        Column("concept_id", pa.int32(), "as in pseudo_labels"),
        Column("probability", pa.float32(), "as in pseudo_labels"),
        Column("place", pa.int32(), "order to judge in, from 0: any beginning is a sample too"),
        Column("stratum", pa.int32(), "number of the group of labels that it was drawn from"),
        Column("stratum_name", pa.string(), "what these labels have in common"),
        Column("stratum_labels", pa.int64(), "how many there are"),
        Column("stratum_drawn", pa.int64(), "how many of them were drawn, all equally likely"),
        Column("inclusion", pa.float64(), "probability that it was drawn: drawn / labels"),
        Column("x0", pa.float32(), "left edge, pixels of the original image"),
        Column("y0", pa.float32(), "top edge, pixels of the original image"),
        Column("x1", pa.float32(), "right edge, exclusive"),
        Column("y1", pa.float32(), "bottom edge, exclusive"),
    ),
)
