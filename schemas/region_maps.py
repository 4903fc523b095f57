"""Region maps: where regions lie in a plane in which similar ones are near each other."""

from __future__ import annotations

from schemas.table import Column, Table

REGION_MAPS = Table(
    name="region_maps",
    version=1,
    doc="Region maps: where regions lie in a plane in which similar ones are near each other.",
    key=("image_id", "region"),
    columns=(
        Column("image_id", "string", "as in images"),
        Column("region", "int32", "as in proposals"),
        Column("x", "float32", "to the right, in [-1, 1]; only what is near means something"),
        Column("y", "float32", "upwards, in [-1, 1]; both have one scale"),
    ),
)
