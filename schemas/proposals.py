"""Region proposals: where something might be, before anyone says what."""

from __future__ import annotations

from schemas.table import Column, Table

MOST_OBJECTNESS = 1.5  # a share, or an IoU that a network estimates; SAM's are often above 1

PROPOSALS = Table(
    name="proposals",
    version=1,
    doc="Region proposals: where something might be, before anyone says what.",
    key=(
        "image_id",
        "region",
    ),
    columns=(
        Column("image_id", "string", "as in images"),
        Column("region", "int32", "rank within the image, 0 is the most object-like"),
        Column("x0", "float32", "left edge, pixels of the original image"),
        Column("y0", "float32", "top edge, pixels of the original image"),
        Column("x1", "float32", "right edge, exclusive; x1 > x0"),
        Column("y1", "float32", "bottom edge, exclusive; y1 > y0"),
        Column(
            "objectness",
            "float32",
            "probability of any object, in [0, 1]; an imported localizer's own score, on a scale "
            "of its own only with --scores score",
        ),
        Column(
            "objectness_logit",
            "float32",
            "the network's raw logit; null where the localizer gave none",
            nullable=True,
        ),
    ),
)
