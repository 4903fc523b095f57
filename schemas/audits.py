"""Audits: pseudo-labels drawn at random to be judged, and how many others each stands for."""

from __future__ import annotations

from schemas.table import Column, Table

AUDITS = Table(
    name="audits",
    version=1,
    doc="Audits: pseudo-labels drawn at random to be judged, and how many others each stands for.",
    key=("image_id", "region"),
    columns=(
        Column("image_id", "string", "as in images"),
        Column("region", "int32", "as in proposals"),
        Column("concept_id", "int32", "as in pseudo_labels"),
        Column("probability", "float32", "as in pseudo_labels"),
        Column("place", "int32", "order to judge in, from 0: any beginning is a sample too"),
        Column("stratum", "int32", "number of the group of labels that it was drawn from"),
        Column("stratum_name", "string", "what these labels have in common"),
        Column("stratum_labels", "int64", "how many there are"),
        Column("stratum_drawn", "int64", "how many of them were drawn, all equally likely"),
        Column("inclusion", "float64", "probability that it was drawn: drawn / labels"),
        Column("x0", "float32", "left edge, pixels of the original image"),
        Column("y0", "float32", "top edge, pixels of the original image"),
        Column("x1", "float32", "right edge, exclusive"),
        Column("y1", "float32", "bottom edge, exclusive"),
    ),
)
