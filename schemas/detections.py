"""Detections: what a model finds in images, by any names: box, category, score."""

from __future__ import annotations

from schemas.table import Column, Table

DETECTIONS = Table(
    name="detections",
    version=2,
    doc="Detections: what a model finds in images, by any names: box, category, score.",
    key=(
        "image_id",
        "detection",
    ),
    columns=(
        Column("image_id", "string", "as in images"),
        Column("detection", "int32", "rank within the image, best first"),
        Column("category_id", "int32", "index among the names that were looked for"),
        Column("category", "string", "that name"),
        Column("score", "float32", "any ranking number, higher is surer"),
        Column("x0", "float32", "left edge, pixels of the original image"),
        Column("y0", "float32", "top edge, pixels of the original image"),
        Column("x1", "float32", "right edge, exclusive"),
        Column("y1", "float32", "bottom edge, exclusive"),
    ),
)
