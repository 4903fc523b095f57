"""Evaluated detections: what an evaluated model says is in each box; drafts of metrics."""

from __future__ import annotations

from schemas.table import Column, Table

EVALUATED_DETECTIONS = Table(
    name="evaluated_detections",
    version=1,
    doc="Evaluated detections: what an evaluated model says is in each box; drafts of metrics.",
    key=(
        "image_id",
        "detection",
    ),
    columns=(
        Column("image_id", "string", "as in images"),
        Column(
            "detection",
            "int32",
            "rank within the image, best first; with ground-truth boxes the object's index",
        ),
        Column("category_id", "int32", "index in the evaluated vocabulary"),
        Column("category", "string", "name in the evaluated vocabulary"),
        Column("score", "float32", "any ranking number, higher is surer"),
        Column("x0", "float32", "left edge, pixels of the original image"),
        Column("y0", "float32", "top edge, pixels of the original image"),
        Column("x1", "float32", "right edge, exclusive"),
        Column("y1", "float32", "bottom edge, exclusive"),
        Column(
            "truth",
            "string",
            "category of the ground-truth object whose box this is; null with proposals",
            nullable=True,
        ),
        Column(
            "rank",
            "int32",
            "place of the true category among all, 0 is best; null with proposals",
            nullable=True,
        ),
    ),
)
